# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# What the recipes of the paper's sections share; sourced by recipe/*/run.sh.
#
# Variables, all with defaults:
#   MODEL=ID       a hub id or a folder            DATA=DIR     where the parquet files are, or go
#   SEED=0         one number for the whole run    OUT=DIR      where run folders go (outputs)
#   N_GPUS=4       GPUs of a node, as the paper    N_NODES=1    with more: start Ray on them, and set RAY_ADDRESS
#   ENGINE=vllm    or sglang                       TP=1         GPUs that share one copy of the model while they generate
#   MICRO_BATCH=N  samples a GPU trains at a time (2 where that divides)
#                                         LOGGER=...   verl's trainer.logger; "file" must be among them
#   DRY_RUN=1      print the command, do nothing   SMOKE=1      two steps on a CPU with a model that knows nothing
#   SOURCE=DIR     what the data are made from, where they are not there yet
#   RERUN=1        start a finished run again      SHOW_FOLDER=1  print the run's folder, do nothing
# Whatever stands behind a script's own arguments is an override of the run, and the last word.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$ROOT/scripts/stoppably.sh"
PYTHON="${PYTHON:-$ROOT/.venv/bin/python}"
SHOW_FOLDER="${SHOW_FOLDER:-0}"
DRY_RUN="${DRY_RUN:-0}"
if [[ "$SHOW_FOLDER" == 1 ]]; then
    DRY_RUN=1
fi
SMOKE="${SMOKE:-0}"
OUT="${OUT:-$ROOT/outputs}"
SEED="${SEED:-0}"
ENGINE="${ENGINE:-vllm}"
SOURCE="${SOURCE:-}"
LOGGER="${LOGGER:-[console,file]}"
OPTIONS=actor_rollout_ref.actor.self_distillation

fail() {
    echo "error: $*" >&2
    exit 2
}

# one_of WHAT VALUE CHOICE ...: ends the script if VALUE is none of the choices.
one_of() {
    local what="$1" value="$2" choice
    shift 2
    for choice in "$@"; do
        [[ "$value" == "$choice" ]] && return
    done
    fail "$what '$value' is not known: $*"
}

# Sizes and places, of the paper's machine or of a CPU; the scripts set the paper's QUESTION_BATCH, MINI_BATCH, ROLLOUTS,
# VAL_ROLLOUTS before.
set_scale() {
    one_of ENGINE "$ENGINE" vllm sglang
    if [[ "$SMOKE" == 1 ]]; then
        CONFIG=sdpo_trainer_cpu
        N_NODES=1 N_GPUS=1 TP=1 MICRO_BATCH=1
        MODEL="$OUT/inputs/tiny"
        DATA="$OUT/inputs"
        MAX_PROMPT=2048 MAX_RESPONSE=16
        # An eighth of the paper's batches, at least a question; two rollouts are a group.
        QUESTION_BATCH=$((QUESTION_BATCH > 8 ? QUESTION_BATCH / 8 : 1))
        MINI_BATCH=$((MINI_BATCH > 8 ? MINI_BATCH / 8 : 1))
        ROLLOUTS=2
        VAL_ROLLOUTS=2
    else
        CONFIG=sdpo_trainer
        N_NODES="${N_NODES:-1}" N_GPUS="${N_GPUS:-4}" TP="${TP:-1}"
        # Two (Figure 5), where a GPU has an even number of a mini-batch's samples.
        local samples=$((MINI_BATCH * ROLLOUTS / (N_NODES * N_GPUS)))
        MICRO_BATCH="${MICRO_BATCH:-$((samples % 2 == 0 && samples > 0 ? 2 : 1))}"
        DATA="${DATA:-$ROOT/data}"
        # Tables 12 and 13.
        MAX_PROMPT=2048 MAX_RESPONSE=8192
    fi
}

# set_run EXPERIMENT TASK METHOD VARIANT: the run's folder, and the options of run_record. Names have no slash and differ
# wherever runs do.
set_run() {
    local model="${MODEL%/}"
    model="${model##*/}"
    NAME="$3${4:+_$4}"
    RUN="$OUT/$1/$2/${model,,}/$NAME/seed$SEED"
    RECORD=(--run "$RUN" --experiment "$1" --task "$2" --model "$MODEL" --method "$3" --variant "$4" --seed "$SEED")
    if [[ "$SMOKE" == 1 ]]; then
        RECORD+=(--smoke)
    fi
    PLACES=(
        trainer.project_name="$1"
        trainer.experiment_name="$2-${model,,}-$NAME-seed$SEED"
        trainer.default_local_dir="$RUN/checkpoints"
        trainer.rollout_data_dir="$RUN/rollouts"
        trainer.validation_data_dir="$RUN/validation"
        trainer.logger="$LOGGER"
        trainer.resume_mode=auto
        hydra.run.dir="$RUN/hydra"
    )
}

# What every run has: the paper's settings that all methods share (Tables 12 and 13), and the machine's. Left out are
# those that are the defaults here or in verl: docs/configuration.md names them.
set_common() {
    COMMON=(
        data.train_files="$DATA_FOLDER/train.parquet"
        data.val_files="$DATA_FOLDER/test.parquet"
        data.train_batch_size="$QUESTION_BATCH"
        data.max_prompt_length="$MAX_PROMPT"
        data.max_response_length="$MAX_RESPONSE"
        +data.apply_chat_template_kwargs.enable_thinking=false
        reward.custom_reward_function.path=pkg://verl_sdpo.rewards
        actor_rollout_ref.model.path="$MODEL"
        actor_rollout_ref.actor.ppo_mini_batch_size="$MINI_BATCH"
        actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu="$MICRO_BATCH"
        actor_rollout_ref.actor.optim.lr="$LR"
        actor_rollout_ref.actor.optim.lr_warmup_steps="$WARMUP"
        actor_rollout_ref.rollout.name="$ENGINE"
        actor_rollout_ref.rollout.tensor_model_parallel_size="$TP"
        actor_rollout_ref.rollout.n="$ROLLOUTS"
        actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu="$MICRO_BATCH"
        actor_rollout_ref.rollout.val_kwargs.n="$VAL_ROLLOUTS"
        actor_rollout_ref.rollout.val_kwargs.do_sample=true
        actor_rollout_ref.rollout.val_kwargs.temperature=0.6
        actor_rollout_ref.rollout.val_kwargs.top_p=0.95
        trainer.seed="$SEED"
        trainer.nnodes="$N_NODES"
        trainer.n_gpus_per_node="$N_GPUS"
        trainer.max_actor_ckpt_to_keep=1
    )
    if [[ "$SMOKE" == 1 ]]; then
        COMMON+=(
            actor_rollout_ref.rollout.max_model_len=4096
            actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=16
            "$OPTIONS.max_reprompt_len=3072"
            trainer.total_training_steps=2
            trainer.save_freq=2
            trainer.test_freq=2
            trainer.val_before_train=false
        )
    fi
}

# make_data DATASET ARGUMENTS: train.parquet and test.parquet in DATA_FOLDER, unless they are there, from SOURCE, else in
# a smoke run from records of our own, else from the dataset's hub id.
make_data() {
    local dataset="$1" input=()
    shift
    if [[ "$DRY_RUN" == 1 || -f "$DATA_FOLDER/train.parquet" ]]; then
        return
    fi
    if [[ -n "$SOURCE" ]]; then
        input=(--input "$SOURCE")
    elif [[ "$SMOKE" == 1 ]]; then
        "$PYTHON" -m recipe.smoke_records --dataset "$dataset" --output "$DATA_FOLDER/source"
        input=(--input "$DATA_FOLDER/source")
    fi
    stoppably "$PYTHON" -m "data_preprocess.$dataset" "${input[@]}" --output "$DATA_FOLDER" "$@"
}

# The model of a smoke run, unless it is there.
make_smoke_model() {
    if [[ "$SMOKE" == 1 ]]; then
        export HF_HUB_OFFLINE=1
        [[ -f "$MODEL/config.json" ]] || "$PYTHON" -m recipe.tiny_model --output "$MODEL"
    fi
}

# launch MODULE OVERRIDES: becomes the run, so that a signal to this shell reaches it (docs/reliability.md).
launch() {
    if [[ "$SHOW_FOLDER" == 1 ]]; then
        echo "$RUN"
        return
    fi
    local command=("$PYTHON" -m "$1" --config-name "$CONFIG" "${@:2}")
    if [[ "$DRY_RUN" == 1 ]]; then
        printf '%q ' "${command[@]}"
        echo
        return
    fi
    make_smoke_model
    exec "$PYTHON" -m recipe.run_record "${RECORD[@]}" -- "${command[@]}"
}
