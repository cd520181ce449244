#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# Test-time self-distillation and its two baselines on this machine, without a GPU: paper, section 5 and Figure 13 in
# the small. There SDPO needs a third of best-of-k's generations on very hard questions; what came out here, and what a
# model of this size can show, is in docs/test_time.md.
#
#   bash recipe/test_time/cpu_discovery.sh
#
# It trains a base model from scratch, makes QUESTIONS questions on which that model is right in one of a thousand
# attempts, and runs the METHODS with BUDGET generations a question, once for each of SEEDS. Running it again goes on where
# it was stopped; what is finished is skipped. OUT=DIR puts everything elsewhere; DRY_RUN=1 prints the runs' commands.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PYTHON="${PYTHON:-$ROOT/.venv/bin/python}"
OUT="${OUT:-$ROOT/outputs/test_time/cpu_discovery}"
SEEDS="${SEEDS:-0 1 2}"
METHODS="${METHODS:-sdpo best_of_k multi_turn}"
QUESTIONS="${QUESTIONS:-8}"
BUDGET="${BUDGET:-1024}"
LR="${LR:-1e-3}"
cd "$ROOT"
export HF_HUB_OFFLINE=1

run() {
    local method="$1" seed="$2"
    local folder="$OUT/$method/seed$seed"
    local command=(
        "$PYTHON" -m verl_sdpo.test_time --config-name sdpo_test_time_cpu
        data.train_files="$OUT/questions.parquet"
        data.max_prompt_length=128
        data.max_response_length=8
        reward.custom_reward_function.path=pkg://verl_sdpo.rewards
        "+reward.custom_reward_function.reward_kwargs.reward_modules=[$ROOT/recipe/test_time/code_reward.py]"
        actor_rollout_ref.model.path="$OUT/base_model"
        actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16
        actor_rollout_ref.actor.optim.lr="$LR"
        actor_rollout_ref.actor.self_distillation.max_reprompt_len=128
        actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=16
        actor_rollout_ref.rollout.max_model_len=192
        actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=64
        trainer.seed="$seed"
        trainer.project_name=test_time
        trainer.experiment_name="$method-seed$seed"
        trainer.logger='[file]'
        test_time.method="$method"
        test_time.budget="$BUDGET"
        test_time.output_dir="$folder"
        hydra.run.dir="$folder/hydra"
    )
    case "$method" in
    # All samples, for pass@k.
    best_of_k) command+=(test_time.stop_at_first_success=false test_time.concurrent_questions="$QUESTIONS"
        actor_rollout_ref.rollout.n=64) ;;
    # One turn, as the base model was trained to read; it repeats what was right before.
    multi_turn) command+=(test_time.max_prompt_tokens=48 test_time.concurrent_questions="$QUESTIONS") ;;
    esac
    if [[ "${DRY_RUN:-0}" == 1 ]]; then
        printf '%q ' "${command[@]}"
        echo
        return
    fi
    if [[ -f "$folder/finished" ]]; then
        echo "$method seed $seed: $folder (already finished)"
        return
    fi
    mkdir -p "$folder"
    echo "$method seed $seed: running, log in $folder/log.txt"
    if ! VERL_FILE_LOGGER_PATH="$folder/metrics.jsonl" "${command[@]}" >>"$folder/log.txt" 2>&1; then
        tail -n 20 "$folder/log.txt" >&2
        echo "error: $method seed $seed failed; the log is $folder/log.txt" >&2
        exit 1
    fi
    touch "$folder/finished"
}

if [[ "${DRY_RUN:-0}" != 1 ]]; then
    if [[ ! -f "$OUT/base_model/rates.json" ]]; then
        echo "base model: training from scratch"
        "$PYTHON" -m recipe.test_time.code_model --output "$OUT/base_model"
    fi
    "$PYTHON" -m recipe.test_time.code_data --output "$OUT/questions.parquet" --questions "$QUESTIONS"
fi
for SEED in $SEEDS; do
    for METHOD in $METHODS; do
        run "$METHOD" "$SEED"
    done
done
if [[ "${DRY_RUN:-0}" != 1 ]]; then
    "$PYTHON" -m recipe.test_time.discovery_report --runs "$OUT" --output "$OUT"
fi
