#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# One run of the paper's section 4: LiveCodeBench v6, where the environment says what went wrong.
#
#   bash recipe/livecodebench/run.sh METHOD [VARIANT] [OVERRIDES]
#
# METHOD: sdpo, grpo, gspo, cispo, grpo_high_entropy or sft_on_teacher. VARIANT, of sdpo:
#   credit_logit credit_token credit_sequence                               section 4.2, Figure 10 left
#   teacher_live teacher_frozen teacher_trust_region teacher_ema            Table 4
#   feedback_output feedback_solution feedback_both feedback_both_attempt   Table 6
#   hybrid                                                                  Eq. 3 with lambda 0.9, Figure 11
# of any method but the last: questions4_rollouts8 and the like               Figure 16 (4, 8, 16, 32 and 4, 8)
# teacher_ema, feedback_both and questions32_rollouts8 are the plain run and go into its folder.
#
# The paper (Table 9, Qwen/Qwen3-8B, step 80, three seeds): SDPO 48.8, GRPO 41.2, GSPO 40.1, CISPO 41.2, GRPO on
# high-entropy tokens 37.8, before training 27.9; Table 5: SFT on the self-teacher 42.7. The others: docs/reproduce.md.
# Other sizes (Figure 8) by MODEL: Qwen/Qwen3-0.6B, -1.7B, -4B; Qwen/Qwen2.5-1.5B-Instruct, -3B-, -7B-.
#
# STEPS=90 covers the steps that the tables name (60, 80, 90). TEST_FREQ=10, SAVE_FREQ=10: the paper names neither.
# Further variables: recipe/common.sh. Data: docs/data.md; SOURCE is test6.jsonl or a folder with it.
#
# sft_on_teacher first has MODEL make attempts at the training questions (python -m verl_sdpo.evaluate, eight each, on TP
# GPUs of this node), and of each question's one hint (recipe/livecodebench/hints.py): below DATA, for each model and
# seed; what is there is not made again. HINTS=FILE instead: source_id and hint, a text that stands behind the question
# as it is, the line end before it included.
set -euo pipefail

USAGE="usage: run.sh sdpo|grpo|gspo|cispo|grpo_high_entropy|sft_on_teacher [VARIANT] [OVERRIDES]"
METHOD="${1:?$USAGE}"
shift
VARIANT=""
if [[ $# -gt 0 && "$1" != *=* ]]; then
    VARIANT="$1"
    shift
fi
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
one_of method "$METHOD" sdpo grpo gspo cispo grpo_high_entropy sft_on_teacher
MODEL="${MODEL:-Qwen/Qwen3-8B}"
STEPS="${STEPS:-90}"
TEST_FREQ="${TEST_FREQ:-10}"
SAVE_FREQ="${SAVE_FREQ:-10}"

# Table 12, section 4 (SDPO); the baselines as the published script of this section has GRPO: no warm-up, 4 validation
# rollouts, and mini-batch and rate of Table 13.
QUESTION_BATCH=32
ROLLOUTS=8
VAL_ROLLOUTS=4
LR=1e-6
WARMUP=0
MINI_BATCH=8
POLICY_GRADIENT=(
    algorithm.adv_estimator=grpo
    algorithm.norm_adv_by_std_in_grpo=false
)
DISTILLATION=(
    actor_rollout_ref.actor.policy_loss.loss_mode=sdpo
    "$OPTIONS.distillation_topk=20"
    "$OPTIONS.alpha=1.0"
    "$OPTIONS.teacher_update_rate=0.01"
)
case "$METHOD" in
sdpo)
    # One question: 32 optimizer steps a training step.
    MINI_BATCH=1
    LOSS=("${DISTILLATION[@]}")
    ;;
grpo)
    LOSS=(
        "${POLICY_GRADIENT[@]}"
        actor_rollout_ref.actor.policy_loss.loss_mode=vanilla
        actor_rollout_ref.actor.clip_ratio_high=0.28
    )
    ;;
gspo)
    # The paper names no clip for GSPO: the range and the mean over sequences of the method's own paper (2507.18071).
    LOSS=(
        "${POLICY_GRADIENT[@]}"
        actor_rollout_ref.actor.policy_loss.loss_mode=gspo
        actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean
        actor_rollout_ref.actor.clip_ratio_low=3e-4
        actor_rollout_ref.actor.clip_ratio_high=4e-4
    )
    ;;
cispo)
    # The paper names no clip for CISPO: no lower bound, as the method's own paper has it (2506.13585), and the upper
    # one of GRPO here.
    LOSS=(
        "${POLICY_GRADIENT[@]}"
        actor_rollout_ref.actor.policy_loss.loss_mode=cispo
        actor_rollout_ref.actor.clip_ratio_low=1.0
        actor_rollout_ref.actor.clip_ratio_high=0.28
    )
    ;;
grpo_high_entropy)
    # The fifth of the tokens with the highest entropy, the method's own paper's share (2506.01939); this one names none.
    LOSS=(
        "${POLICY_GRADIENT[@]}"
        actor_rollout_ref.actor.policy_loss.loss_mode=vanilla
        actor_rollout_ref.actor.clip_ratio_high=0.28
        algorithm.high_entropy_fraction=0.2
    )
    ;;
sft_on_teacher)
    # The teacher writes the answers with the row's hint beside the question, and the student learns its distributions at
    # each token of them: the mean over samples of what SFT learns from one. Not quite the paper's: there the teacher is
    # the model before training throughout; here it writes with the student's weights (docs/sdft.md).
    MINI_BATCH=32
    LOSS=(
        actor_rollout_ref.actor.policy_loss.loss_mode=sdpo
        "$OPTIONS.distillation_topk=20"
        "$OPTIONS.alpha=0.0"
        "$OPTIONS.teacher_regularization=frozen"
        "$OPTIONS.demonstration_source=dataset"
        # Hints have the words around solution and feedback already.
        "$OPTIONS.solution_template='{successful_previous_attempt}'"
        "$OPTIONS.include_environment_feedback=false"
        "$OPTIONS.generation_by=teacher"
        # The rollout reads what otherwise only the teacher does.
        "actor_rollout_ref.rollout.prompt_length=\${$OPTIONS.max_reprompt_len}"
        algorithm.rollout_correction.rollout_is=null
    )
    ;;
esac
case "$METHOD,$VARIANT" in
*,) ;;
# K = 100 in this comparison.
sdpo,credit_logit) LOSS+=("$OPTIONS.credit_assignment=logit" "$OPTIONS.distillation_topk=100") ;;
sdpo,credit_token) LOSS+=("$OPTIONS.credit_assignment=token_top1") ;;
sdpo,credit_sequence) LOSS+=("$OPTIONS.credit_assignment=sequence") ;;
sdpo,teacher_live) LOSS+=("$OPTIONS.teacher_regularization=live") ;;
sdpo,teacher_frozen) LOSS+=("$OPTIONS.teacher_regularization=frozen") ;;
sdpo,teacher_trust_region)
    LOSS+=("$OPTIONS.teacher_regularization=trust_region" "$OPTIONS.trust_region_mix=0.01")
    ;;
sdpo,teacher_ema | sdpo,feedback_both | *,questions32_rollouts8) VARIANT="" ;;
# A threshold that no score reaches: no attempt is shown as a solution.
sdpo,feedback_output) LOSS+=("$OPTIONS.success_reward_threshold=2.0") ;;
sdpo,feedback_solution) LOSS+=("$OPTIONS.include_environment_feedback=false") ;;
# The paper does not print the words around the attempt; these are ours.
sdpo,feedback_both_attempt) LOSS+=("$OPTIONS.include_own_attempt=true") ;;
sdpo,hybrid)
    LOSS+=(
        "${POLICY_GRADIENT[@]}"
        actor_rollout_ref.actor.policy_loss.loss_mode=vanilla
        actor_rollout_ref.actor.clip_ratio_high=0.28
        algorithm.adv_estimator=sdpo
        "$OPTIONS.group_advantage_weight=0.9"
    )
    ;;
*,questions[0-9]*_rollouts[0-9]*)
    [[ "$METHOD" != sft_on_teacher && "$VARIANT" =~ ^questions(4|8|16|32)_rollouts(4|8)$ ]] ||
        fail "variant '$VARIANT' is not known for $METHOD: questions 4, 8, 16 or 32, rollouts 4 or 8"
    QUESTION_BATCH="${BASH_REMATCH[1]}"
    ROLLOUTS="${BASH_REMATCH[2]}"
    MINI_BATCH=$((MINI_BATCH < QUESTION_BATCH ? MINI_BATCH : QUESTION_BATCH))
    ;;
*) fail "variant '$VARIANT' is not known for $METHOD (the script's head lists them)" ;;
esac

# The model's attempts at the training questions, and the hints that they are; each unless it is there.
make_hints() {
    local device=cuda
    if [[ "$SMOKE" == 1 ]]; then
        make_smoke_model
        device=cpu
    fi
    if [[ ! -f "$ATTEMPTS/results.json" ]]; then
        [[ "$ENGINE" == vllm ]] || fail "ENGINE '$ENGINE': attempts are made with vllm; set HINTS to a file with hints"
        stoppably "$PYTHON" -m verl_sdpo.evaluate "$MODEL" --data "$WITHOUT_HINTS/train.parquet" --output "$ATTEMPTS" \
            --n "$ROLLOUTS" --temperature 1.0 --top-p 1.0 --max-response-length "$MAX_RESPONSE" --seed "$SEED" \
            --apply-chat-template-kwargs 'enable_thinking=False' \
            --reward pkg://verl_sdpo.rewards --reward-name compute_score_async \
            --device "$device" --tensor-parallel-size "$TP"
    fi
    if [[ ! -f "$HINTS" ]]; then
        "$PYTHON" -m recipe.livecodebench.hints --responses "$ATTEMPTS" --data "$WITHOUT_HINTS/train.parquet" \
            --output "$HINTS"
    fi
}

set_scale
set_run livecodebench v6 "$METHOD" "$VARIANT"
DATA_FOLDER="$DATA/lcb_v6"
make_data livecodebench
if [[ "$METHOD" == sft_on_teacher ]]; then
    HINTS="${HINTS:-}"
    WITHOUT_HINTS="$DATA_FOLDER"
    ATTEMPTS="$DATA/lcb_v6_attempts/$(basename "${MODEL,,}")/seed$SEED"
    DATA_FOLDER="$DATA/lcb_v6_hints"
    [[ -n "$HINTS" ]] || DATA_FOLDER="$ATTEMPTS/data"
    if [[ "$DRY_RUN" != 1 && ! -f "$DATA_FOLDER/train.parquet" ]]; then
        if [[ -z "$HINTS" ]]; then
            HINTS="$ATTEMPTS/hints.jsonl"
            make_hints
        fi
        "$PYTHON" -m data_preprocess.add_context --input "$WITHOUT_HINTS" --output "$DATA_FOLDER" \
            --from-column hint --joined "$HINTS"
    fi
fi
RUN_OPTIONS=(
    # The plain function would hold up the reward workers while programs run.
    reward.custom_reward_function.name=compute_score_async
    trainer.total_epochs=1000
    trainer.total_training_steps="$STEPS"
    trainer.test_freq="$TEST_FREQ"
    trainer.save_freq="$SAVE_FREQ"
)
set_common
launch verl_sdpo.main_sdpo "${RUN_OPTIONS[@]}" "${COMMON[@]}" "${LOSS[@]}" "${PLACES[@]}" "$@"
