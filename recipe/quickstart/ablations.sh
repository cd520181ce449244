#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# The quickstart's task under each teacher (paper, Table 4) and each level of credit (section 4.2), one run after the other.
#
#   bash recipe/quickstart/ablations.sh [VARIANT ...]
#
# Runs what is not finished yet, from base models and data as the quickstart makes them, then prints a table and the place
# of a picture. A run takes as long as one of the quickstart's.
# SEEDS="0 1 2": which seeds. OUT=DIR: where seed0/, seed1/ ... lie (outputs/quickstart). STEPS=50. DRY_RUN=1 prints the
# commands.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PYTHON="${PYTHON:-$ROOT/.venv/bin/python}"
BASE="${OUT:-$ROOT/outputs/quickstart}"
SEEDS="${SEEDS:-0 1 2}"
export PYTHON STEPS="${STEPS:-50}"
OPTIONS=actor_rollout_ref.actor.self_distillation

# The first is the quickstart's own run. Credit levels below whole distributions only have a reverse KL, so all four
# have alpha 1.0 and differ in one key.
declare -A VARIANTS=(
    [ema]=""
    [frozen]="$OPTIONS.teacher_regularization=frozen"
    [trust_region]="$OPTIONS.teacher_regularization=trust_region"
    [live]="$OPTIONS.teacher_regularization=live"
    [logit]="$OPTIONS.alpha=1.0 $OPTIONS.credit_assignment=logit"
    [token_top1]="$OPTIONS.alpha=1.0 $OPTIONS.credit_assignment=token_top1"
    [token]="$OPTIONS.alpha=1.0 $OPTIONS.credit_assignment=token"
    [sequence]="$OPTIONS.alpha=1.0 $OPTIONS.credit_assignment=sequence"
)
if (($# == 0)); then
    set -- ema frozen trust_region live logit token_top1 token sequence
fi
ORDER=("$@")
for VARIANT in "${ORDER[@]}"; do
    if [[ -z "${VARIANTS[$VARIANT]+known}" ]]; then
        echo "error: variant '$VARIANT' is not known: ${!VARIANTS[*]}" >&2
        exit 2
    fi
done

cd "$ROOT"
source recipe/quickstart/prepare.sh
for SEED in $SEEDS; do
    FOLDER="$BASE/seed$SEED"
    if [[ "${DRY_RUN:-0}" != 1 && ! -f "$FOLDER/base_model/accuracy.json" ]]; then
        prepare_task "$FOLDER" "$SEED"
    fi
    for VARIANT in "${ORDER[@]}"; do
        NAME=$([[ "$VARIANT" == ema ]] && echo sdpo || echo "$VARIANT")
        RUN="$FOLDER/$NAME"
        if [[ -f "$RUN/finished" ]]; then
            continue
        fi
        read -ra OVERRIDES <<<"${VARIANTS[$VARIANT]}"
        if [[ "${DRY_RUN:-0}" == 1 ]]; then
            SEED="$SEED" OUT="$FOLDER" NAME="$NAME" bash recipe/quickstart/run.sh sdpo "${OVERRIDES[@]}"
            continue
        fi
        echo "seed $SEED, $VARIANT: log in $RUN/train.log"
        clear_run "$RUN"
        SEED="$SEED" OUT="$FOLDER" NAME="$NAME" bash recipe/quickstart/run.sh sdpo "${OVERRIDES[@]}" \
            >"$RUN/train.log" 2>&1
        touch "$RUN/finished"
    done
done
if [[ "${DRY_RUN:-0}" != 1 ]]; then
    "$PYTHON" -m recipe.quickstart.ablation_report --base "$BASE"
fi
