#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# One row of the paper's Table 5: what a model trained on LiveCodeBench may have forgotten.
#
#   bash recipe/forgetting/run.sh base|sdpo|grpo|sft_on_teacher [LM_EVAL OPTIONS]
#
# base is the model before training; of the others the last checkpoint of recipe/livecodebench/run.sh is taken, from the
# same MODEL, SEED and OUT, or CHECKPOINT=DIR. scripts/evaluate_harness.sh exports it and runs lm-evaluation-harness.
#
# The paper (IFEval / MMLU-Pro): base 83.9 / 62.5, SDPO 83.2 / 62.9, GRPO 82.2 / 62.3, SFT on the self-teacher
# 83.7 / 61.9. Its ArenaHard columns need a judge, which is no part of this; docs/evaluate.md says more.
# Variables: MODEL, SEED, OUT, N_GPUS, DRY_RUN, RERUN (recipe/common.sh), and those of scripts/evaluate_harness.sh.
# SMOKE=1: two questions a task and 16 tokens each, on a checkpoint of SMOKE=1 bash recipe/livecodebench/run.sh.
set -euo pipefail

METHOD="${1:?usage: run.sh base|sdpo|grpo|sft_on_teacher [LM_EVAL OPTIONS]}"
shift
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
one_of method "$METHOD" base sdpo grpo sft_on_teacher
MODEL="${MODEL:-Qwen/Qwen3-8B}"
QUESTION_BATCH=1 MINI_BATCH=1 ROLLOUTS=1 VAL_ROLLOUTS=1
set_scale
set_run livecodebench v6 "$METHOD" ""
CHECKPOINT="${CHECKPOINT:-$RUN/checkpoints}"
if [[ "$METHOD" == base ]]; then
    CHECKPOINT="$MODEL"
fi
set_run forgetting harness "$METHOD" ""
if [[ "$SMOKE" == 1 ]]; then
    set -- --limit 2 --gen_kwargs "max_gen_toks=16" "$@"
    export BACKEND="${BACKEND:-hf}"
fi
if [[ "$SHOW_FOLDER" == 1 ]]; then
    echo "$RUN"
    exit
fi
export PYTHON OUT="$RUN/evaluation" GPUS="$N_GPUS" DRY_RUN REPLACE=1
if [[ "$METHOD" != base && ! -f "$CHECKPOINT/config.json" ]]; then
    export IS_CHECKPOINT=1
fi
COMMAND=(bash "$ROOT/scripts/evaluate_harness.sh" "$CHECKPOINT" "$@")
if [[ "$DRY_RUN" == 1 ]]; then
    exec "${COMMAND[@]}"
fi

# Whether the harness can start; else it would take a folder that is not there for a model's name on the hub.
check() {
    if [[ "$METHOD" == base ]]; then
        make_smoke_model
    elif ! compgen -G "$CHECKPOINT/global_step_*" >/dev/null && [[ ! -d "$CHECKPOINT/actor" && ! -f "$CHECKPOINT/config.json" ]]; then
        fail "there is no checkpoint in $CHECKPOINT: start 'bash recipe/livecodebench/run.sh $METHOD' first, or set CHECKPOINT"
    fi
    CHECK_ONLY=1 "${COMMAND[@]}"
}

# Of a run that has finished the checkpoint may be gone.
if [[ "${RERUN:-0}" == 1 ]] || ! grep -qs '"state": "finished"' "$RUN/status.json"; then
    check
fi
exec "$PYTHON" -m recipe.run_record "${RECORD[@]}" -- "${COMMAND[@]}"
