#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# The first of two commands: trains a tiny model with SDPO and with GRPO on this machine, without a GPU.
#
#   bash scripts/quickstart.sh
#
# Makes a virtual environment, a base model, a tokenizer and a dataset, runs both methods on the same number of
# generations, and prints a table and the place of a picture. At most 15 minutes on two cores, installing included; a
# second run takes up what is there. SEED=1 is another task, base model and run. OUT=DIR puts everything elsewhere.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$REPOSITORY"
source recipe/quickstart/prepare.sh
SEED="${SEED:-0}"
export SEED STEPS="${STEPS:-50}" OUT="${OUT:-$REPOSITORY/outputs/quickstart/seed$SEED}"
mkdir -p "$OUT"
echo "everything lands in $OUT"
ensure_venv cpu

prepare_task "$OUT" "$SEED"

for METHOD in sdpo grpo; do
    RUN="$OUT/$METHOD"
    if [[ -f "$RUN/finished" ]]; then
        echo "$METHOD: $RUN (already finished)"
        continue
    fi
    echo "$METHOD: training, log in $RUN/train.log"
    clear_run "$RUN"
    bash recipe/quickstart/run.sh "$METHOD" >"$RUN/train.log" 2>&1 &
    PID=$!
    # An interrupted quickstart takes its training run with it.
    trap 'kill "$PID" 2>/dev/null || true' EXIT
    "$PYTHON" -m recipe.quickstart.progress --run "$RUN" --pid "$PID" --steps "$STEPS" --name "$METHOD"
    wait "$PID" || {
        tail -n 20 "$RUN/train.log" >&2
        fail "$METHOD failed; the log is $RUN/train.log"
    }
    trap - EXIT
    touch "$RUN/finished"
done

"$PYTHON" -m recipe.quickstart.report --run "$OUT"
