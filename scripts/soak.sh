#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# The long tests, which scripts/test.sh without arguments leaves out: whole training runs that are compared or killed.
#
#   bash scripts/soak.sh                  all of them
#   bash scripts/soak.sh -k determinism   any arguments go to pytest
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$REPOSITORY"
ensure_venv cpu,test
export HF_HUB_OFFLINE=1
exec "$PYTHON" -m pytest -m long --durations=10 "$@"
