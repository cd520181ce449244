#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# The test command: installs what tests need and runs them, one end-to-end training run included.
#
#   bash scripts/test.sh                  all but the long ones (scripts/soak.sh), at most 15 minutes on two cores
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
exec "$PYTHON" -m pytest -m "not long" --durations=10
