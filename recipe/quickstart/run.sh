#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# One training run of the quickstart: SDPO or GRPO on the quickstart's task, from the quickstart's base model.
#
#   bash recipe/quickstart/run.sh sdpo|grpo [OVERRIDES]
#
# Both runs have the same prompts per step, rollouts per prompt and steps, so the same number of generations
# (docs/benchmarks.md). The paper's SDPO settings are in docs/configuration.md.
# OUT=DIR: where model and data are (made by scripts/quickstart.sh) and the run goes, under NAME (the method).
# DRY_RUN=1 prints the command.
set -euo pipefail

METHOD="${1:?usage: run.sh sdpo|grpo [OVERRIDES]}"
shift
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PYTHON="${PYTHON:-$ROOT/.venv/bin/python}"
OUT="${OUT:-$ROOT/outputs/quickstart/seed0}"
SEED="${SEED:-0}"
STEPS="${STEPS:-50}"
NAME="${NAME:-$METHOD}"
RUN="$OUT/$NAME"

DATA=(
    data.train_files="$OUT/data/train.parquet"
    data.val_files="$OUT/data/val.parquet"
    data.train_batch_size=16
    data.max_prompt_length=64
    data.max_response_length=8
    data.seed="$SEED"
    reward.custom_reward_function.path=pkg://verl_sdpo.rewards
)
MODEL=(
    actor_rollout_ref.model.path="$OUT/base_model"
    actor_rollout_ref.actor.ppo_mini_batch_size=16
    actor_rollout_ref.actor.optim.lr_scheduler_type=cosine
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=128
    actor_rollout_ref.rollout.n=8
    actor_rollout_ref.rollout.seed="$SEED"
    actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=128
    actor_rollout_ref.rollout.max_model_len=160
    actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=64
    actor_rollout_ref.rollout.val_kwargs.do_sample=true
    actor_rollout_ref.rollout.val_kwargs.temperature=1.0
    actor_rollout_ref.rollout.val_kwargs.n=4
)
TRAINER=(
    trainer.project_name=quickstart
    trainer.experiment_name="${NAME}_seed$SEED"
    trainer.total_training_steps="$STEPS"
    trainer.total_epochs=1000
    trainer.test_freq=10
    trainer.save_freq="$STEPS"
    trainer.default_local_dir="$RUN/checkpoints"
    trainer.logger='[console,file]'
)
case "$METHOD" in
sdpo)
    LOSS=(
        actor_rollout_ref.actor.policy_loss.loss_mode=sdpo
        actor_rollout_ref.actor.self_distillation.max_reprompt_len=128
        actor_rollout_ref.actor.optim.lr=3e-4
    )
    ;;
grpo)
    LOSS=(
        actor_rollout_ref.actor.policy_loss.loss_mode=vanilla
        algorithm.adv_estimator=grpo
        actor_rollout_ref.actor.optim.lr=5e-4
    )
    ;;
*)
    echo "error: method '$METHOD' is not known: sdpo or grpo" >&2
    exit 2
    ;;
esac
COMMAND=(
    "$PYTHON" -m verl_sdpo.main_sdpo --config-name sdpo_trainer_cpu
    "${DATA[@]}" "${MODEL[@]}" "${TRAINER[@]}" "${LOSS[@]}" hydra.run.dir="$RUN/hydra" "$@"
)

if [[ "${DRY_RUN:-0}" == 1 ]]; then
    printf '%q ' "${COMMAND[@]}"
    echo
    exit
fi
cd "$ROOT"
mkdir -p "$RUN"
export HF_HUB_OFFLINE=1 VERL_FILE_LOGGER_PATH="$RUN/metrics.jsonl"
exec "${COMMAND[@]}"
