#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# The long tests, which scripts/test.sh without arguments leaves out: whole training runs that are compared or killed, and
# each method and variant of the recipes with SMOKE=1, of which a table is printed at the end (docs/reliability.md).
#
#   bash scripts/soak.sh                  all of them
#   bash scripts/soak.sh -k determinism   any arguments go to pytest
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$REPOSITORY"
ensure_venv cpu,test,harness
export LM_EVAL="$VENV/bin/lm_eval"
export HF_HUB_OFFLINE=1
VERL_SDPO_SMOKE_TABLE="$(mktemp)"
export VERL_SDPO_SMOKE_TABLE
STATUS=0
"$PYTHON" -m pytest -m long --durations=10 "$@" || STATUS=$?
if [[ -s "$VERL_SDPO_SMOKE_TABLE" ]]; then
    printf '\n| Script | Method | Exit status | Seconds |\n|---|---|---|---|\n'
    cat "$VERL_SDPO_SMOKE_TABLE"
fi
rm -f "$VERL_SDPO_SMOKE_TABLE"
exit "$STATUS"
