#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# The test command: installs what tests need and runs them, then the end-to-end runs one after the other.
#
#   bash scripts/test.sh                  all but the long ones (scripts/soak.sh)
#   bash scripts/test.sh tests/algorithm  any arguments go to pytest
#
# VERL_SDPO_DATA=DIR (with sciknoweval/, tooluse/) also runs the tests on real data; without it they count as skipped.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$REPOSITORY"
ensure_venv cpu,test
export HF_HUB_OFFLINE=1
"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
if (($# > 0)); then
    exec "$PYTHON" -m pytest "$@"
fi
# Files are spread over two processes; a training run takes the machine for itself.
STATUS=0
"$PYTHON" -m pytest -m "not long and not e2e" --numprocesses 2 --dist loadfile --durations=10 || STATUS=$?
"$PYTHON" -m pytest -m "e2e and not long" --durations=10 || STATUS=$?
exit "$STATUS"
