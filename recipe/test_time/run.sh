#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# One run of the paper's section 5: hard questions of LiveCodeBench v6, one after the other, until solved or out of budget.
#
#   bash recipe/test_time/run.sh hard|very_hard METHOD [VARIANT] [OVERRIDES]
#
# hard: the 19 questions of Table 10; very_hard: 9 of them. METHOD: sdpo, best_of_k or multi_turn. VARIANT: rollouts8 or
# rollouts32 of sdpo (D.3, attempts between two updates); attempts_and_feedback of multi_turn (Figure 19).
#
# The paper (discovery@2750, five seeds): very hard SDPO 53.2, best-of-k 41.5, multi-turn 35.6; hard 78, 72.3, 68.4. More
# in docs/reproduce.md. The questions' ids are taken as docs/data.md says; check one before relying on them.
#
# BUDGET: generations at a question; the paper's 2750, for best_of_k 2944 independent ones. Further variables:
# recipe/common.sh. SOURCE is test6.jsonl or a folder with it. A run that was killed goes on where it was.
set -euo pipefail

USAGE="usage: run.sh hard|very_hard sdpo|best_of_k|multi_turn [VARIANT] [OVERRIDES]"
TASK="${1:?$USAGE}"
METHOD="${2:?$USAGE}"
shift 2
VARIANT=""
if [[ $# -gt 0 && "$1" != *=* ]]; then
    VARIANT="$1"
    shift
fi
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
one_of task "$TASK" hard very_hard
one_of method "$METHOD" sdpo best_of_k multi_turn
MODEL="${MODEL:-Qwen/Qwen3-8B}"

# Table 12, section 5; divergence, clip, rates and the like are in verl_sdpo/config/test_time.yaml.
QUESTION_BATCH=1
MINI_BATCH=1
ROLLOUTS=16
LR=1e-6
WARMUP=0
# Nothing is validated.
VAL_ROLLOUTS=1
PROMPT_TOKENS=2048
BUDGET_OF_METHOD=2750
LOSS=(test_time.method="$METHOD")
case "$METHOD,$VARIANT" in
sdpo,) ;;
sdpo,rollouts8 | sdpo,rollouts32) ROLLOUTS="${VARIANT#rollouts}" ;;
# To the end of the budget: unbiased pass@k counts all successes.
best_of_k,)
    BUDGET_OF_METHOD=2944
    LOSS+=(test_time.stop_at_first_success=false)
    ;;
# 32k tokens of prompt, of a window of 40k, the oldest turns leaving first. Each attempt reads the one before it.
multi_turn, | multi_turn,attempts_and_feedback)
    PROMPT_TOKENS=32768
    LOSS+=(test_time.max_prompt_tokens=32768)
    # Turns of several questions share the engine.
    LOSS+=(test_time.concurrent_questions=8)
    if [[ -n "$VARIANT" ]]; then
        LOSS+=(test_time.context="$VARIANT")
    fi
    ;;
*) fail "variant '$VARIANT' is not known for $METHOD: rollouts8 and rollouts32 of sdpo, attempts_and_feedback of multi_turn" ;;
esac
BUDGET="${BUDGET:-$BUDGET_OF_METHOD}"

set_scale
set_run test_time "$TASK" "$METHOD" "$VARIANT"
DATA_FOLDER="$DATA/lcb_ttt"
QUESTIONS=null
if [[ "$SMOKE" == 1 ]]; then
    BUDGET=4
    make_data livecodebench --limit 2
    if [[ "$METHOD" == multi_turn ]]; then
        LOSS+=(test_time.max_prompt_tokens="$MAX_PROMPT")
    fi
else
    MAX_PROMPT="$PROMPT_TOKENS"
    # Rows of the file: its ids are 1 3 10 43 46 59 69 74 86 91 92 95 100 103 111 120 125 127 129.
    if [[ "$TASK" == very_hard ]]; then
        QUESTIONS="[1,2,4,7,9,10,11,13,16]"
    fi
    make_data livecodebench --single-question paper
fi
set_common
RUN_OPTIONS=(
    reward.custom_reward_function.name=compute_score_async
    # The questions are the training set; there is no other.
    data.val_files="$DATA_FOLDER/train.parquet"
    test_time.budget="$BUDGET"
    test_time.questions="$QUESTIONS"
    test_time.output_dir="$RUN"
    trainer.test_freq=-1
    trainer.val_before_train=false
    trainer.total_training_steps=null
)
CONFIG="${CONFIG/trainer/test_time}"
launch verl_sdpo.test_time "${COMMON[@]}" "${LOSS[@]}" "${PLACES[@]}" "${RUN_OPTIONS[@]}" "$@"
