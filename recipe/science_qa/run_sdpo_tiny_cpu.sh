#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# SDPO on SciKnowEval questions with a model that knows nothing, for a few steps on a CPU.
#
# Nothing is learned; prompts, reward, reprompting, validation and checkpoints are the real ones. The paper's runs on
# this data (section 3, Table 3) need Qwen3-8B and four GPUs.
#
#   bash recipe/science_qa/run_sdpo_tiny_cpu.sh DIR    DIR holds train.json and test.json of one science
#
# Any further arguments are verl overrides. OUT=DIR: where everything goes. DRY_RUN=1 prints the training command.
set -euo pipefail

SOURCE="${1:?usage: run_sdpo_tiny_cpu.sh DIR [OVERRIDES], DIR with train.json and test.json}"
shift
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PYTHON="${PYTHON:-$ROOT/.venv/bin/python}"
OUT="${OUT:-$ROOT/outputs/science_qa_tiny}"
STEPS="${STEPS:-3}"
export HF_HUB_OFFLINE=1

DATA=(
    data.train_files="$OUT/data/train.parquet"
    data.val_files="$OUT/data/test.parquet"
    data.train_batch_size=4
    data.max_prompt_length=2048
    data.max_response_length=64
    reward.custom_reward_function.path=pkg://verl_sdpo.rewards
    reward.custom_reward_function.name=compute_score
)
MODEL=(
    actor_rollout_ref.model.path="$OUT/model"
    actor_rollout_ref.actor.ppo_mini_batch_size=4
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4
    actor_rollout_ref.rollout.n=4
    actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4
    actor_rollout_ref.rollout.max_model_len=2304
    actor_rollout_ref.actor.self_distillation.max_reprompt_len=2560
)
TRAINER=(
    trainer.project_name=science_qa
    trainer.experiment_name=sdpo_tiny
    trainer.total_training_steps="$STEPS"
    trainer.test_freq="$STEPS"
    trainer.save_freq="$STEPS"
    trainer.default_local_dir="$OUT/checkpoints"
    trainer.validation_data_dir="$OUT/validation"
    trainer.logger='[console,file]'
)
COMMAND=(
    "$PYTHON" -m verl_sdpo.main_sdpo --config-name sdpo_trainer_cpu "${DATA[@]}" "${MODEL[@]}" "${TRAINER[@]}"
    hydra.run.dir="$OUT/hydra" "$@"
)

if [[ "${DRY_RUN:-0}" == 1 ]]; then
    printf '%q ' "${COMMAND[@]}"
    echo
    exit
fi
cd "$ROOT"
mkdir -p "$OUT"
"$PYTHON" -m recipe.tiny_model --output "$OUT/model"
"$PYTHON" -m data_preprocess.sciknoweval --input "$SOURCE" --output "$OUT/data" --tokenizer "$OUT/model"
export VERL_FILE_LOGGER_PATH="$OUT/metrics.jsonl"
"${COMMAND[@]}"
