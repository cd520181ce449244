# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# What a run of the quickstart's task starts from; sourced by scripts/quickstart.sh and ablations.sh, which set PYTHON and
# are in the repository's folder.
#
#   prepare_task OUT SEED   a base model, unless it is there, and the data of a seed
#   clear_run RUN           a folder for a run, without what an unfinished one left

prepare_task() {
    local out="$1" seed="$2"
    mkdir -p "$out"
    if [[ ! -f "$out/base_model/accuracy.json" ]]; then
        echo "base model: training from scratch"
        "$PYTHON" -m recipe.quickstart.base_model --output "$out/base_model" --seed "$seed" 2>&1 |
            tee "$out/base_model.log"
    else
        echo "base model: $out/base_model (already trained)"
    fi
    "$PYTHON" -m recipe.quickstart.make_data --output "$out/data" --seed "$seed"
}

clear_run() {
    mkdir -p "$1"
    rm -rf "$1/checkpoints" "$1/metrics.jsonl"
}
