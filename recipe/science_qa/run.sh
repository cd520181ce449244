#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# One run of the paper's section 3: learning from scores alone, four sciences of SciKnowEval and tool use.
#
#   bash recipe/science_qa/run.sh biology|chemistry|material|physics|tooluse METHOD [VARIANT] [OVERRIDES]
#
# METHOD: sdpo, grpo or grpo_on_policy (Tables 12 and 13). VARIANT: a point of the grid of E.2.1, words joined by "_" of
# lr1e-5 or lr1e-6; mbs8 or mbs32 (questions in a mini-batch); for sdpo jsd or fkl (forward KL). "lr1e-6_mbs8" e.g.
#
# The paper (Table 3, best avg@16 within 5 h of step time): chemistry SDPO 80.9, GRPO 74.5, on-policy GRPO 63.4 with
# Qwen/Qwen3-8B; all numbers are in docs/reproduce.md. MODEL=allenai/Olmo-3-7B-Instruct is its other model.
#
# MAX_TIME=5h: step time after which the run ends. TEST_FREQ=10, SAVE_FREQ=10: steps between validations, and saves; the
# paper names neither. Further variables: recipe/common.sh. Data: docs/data.md; SOURCE=DIR has the published files.
# ToolUse has no hub id, so that its SOURCE must be given.
set -euo pipefail

USAGE="usage: run.sh biology|chemistry|material|physics|tooluse sdpo|grpo|grpo_on_policy [VARIANT] [OVERRIDES]"
TASK="${1:?$USAGE}"
METHOD="${2:?$USAGE}"
shift 2
VARIANT=""
if [[ $# -gt 0 && "$1" != *=* ]]; then
    VARIANT="$1"
    shift
fi
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
one_of task "$TASK" biology chemistry material physics tooluse
one_of method "$METHOD" sdpo grpo grpo_on_policy
MODEL="${MODEL:-Qwen/Qwen3-8B}"
MAX_TIME="${MAX_TIME:-5h}"
TEST_FREQ="${TEST_FREQ:-10}"
SAVE_FREQ="${SAVE_FREQ:-10}"

# Table 12, section 3 (SDPO), and Table 13 (GRPO, and GRPO on-policy).
QUESTION_BATCH=32
ROLLOUTS=8
VAL_ROLLOUTS=16
WARMUP=10
case "$METHOD" in
sdpo) MINI_BATCH=32 LR=1e-5 ALPHA=0.5 ;;
grpo) MINI_BATCH=8 LR=1e-6 ALPHA="" ;;
grpo_on_policy) MINI_BATCH=32 LR=1e-5 ALPHA="" ;;
esac
# E.2.1: learning rate and mini-batch for GRPO and SDPO, learning rate only for on-policy GRPO; the divergence for SDPO.
PLAIN="$MINI_BATCH $LR $ALPHA"
for WORD in ${VARIANT//_/ }; do
    case "$METHOD,$WORD" in
    *,lr1e-5 | *,lr1e-6) LR="${WORD#lr}" ;;
    sdpo,mbs8 | sdpo,mbs32 | grpo,mbs8 | grpo,mbs32) MINI_BATCH="${WORD#mbs}" ;;
    sdpo,jsd) ALPHA=0.5 ;;
    sdpo,fkl) ALPHA=0.0 ;;
    *) fail "variant '$VARIANT': '$WORD' is not in $METHOD's grid (lr1e-5 lr1e-6; mbs8 mbs32 for sdpo and grpo; jsd fkl for sdpo)" ;;
    esac
done
# A cell of the grid that is the method's own setting is the plain run.
if [[ "$MINI_BATCH $LR $ALPHA" == "$PLAIN" ]]; then
    VARIANT=""
fi

if [[ "$METHOD" == sdpo ]]; then
    LOSS=(
        actor_rollout_ref.actor.policy_loss.loss_mode=sdpo
        "$OPTIONS.distillation_topk=100"
        "$OPTIONS.alpha=$ALPHA"
        "$OPTIONS.teacher_update_rate=0.05"
        # No words from the environment in this section: the teacher sees solutions of the model's own.
        "$OPTIONS.include_environment_feedback=false"
    )
else
    LOSS=(
        actor_rollout_ref.actor.policy_loss.loss_mode=vanilla
        algorithm.adv_estimator=grpo
        algorithm.norm_adv_by_std_in_grpo=false
        actor_rollout_ref.actor.clip_ratio_high=0.28
    )
fi
set_scale
set_run science_qa "$TASK" "$METHOD" "$VARIANT"
if [[ "$TASK" == tooluse ]]; then
    DATA_FOLDER="$DATA/tooluse"
    [[ "$DRY_RUN" == 1 || "$SMOKE" == 1 || -f "$DATA_FOLDER/train.parquet" || -n "$SOURCE" ]] ||
        fail "no $DATA_FOLDER/train.parquet: set SOURCE to the folder with ToolUse's train.json and test.json"
    make_data tooluse
else
    DATA_FOLDER="$DATA/sciknoweval/$TASK"
    make_data sciknoweval --domain "$TASK"
fi
BUDGET=(
    # The time is the bound, not the epochs.
    trainer.total_epochs=1000
    trainer.max_time="$MAX_TIME"
    trainer.test_freq="$TEST_FREQ"
    trainer.save_freq="$SAVE_FREQ"
)
set_common
launch verl_sdpo.main_sdpo "${BUDGET[@]}" "${COMMON[@]}" "${LOSS[@]}" "${PLACES[@]}" "$@"
