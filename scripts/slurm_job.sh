#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# The body of a Slurm job, which scripts/sweep.sh submits from the repository's folder: sbatch ... SCRIPT ARGUMENTS.
# Of an allocation's end this shell alone is told, 1,200 seconds before it, and the run that took its place makes its
# step to the end and saves (docs/reliability.md). The same sweep, started again, resumes it. On several nodes Ray is
# started on each. No Slurm was at hand: of this file only what a stand-in for sbatch runs was tried, on one node.
#SBATCH --signal=B:TERM@1200
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:-.}"
export PYTHON="${PYTHON:-$PWD/.venv/bin/python}"
if (("${SLURM_JOB_NUM_NODES:-1}" > 1)); then
    RAY="$(dirname "$PYTHON")/ray"
    PORT="${RAY_PORT:-6379}"
    HEAD="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
    srun --nodes=1 --ntasks=1 --nodelist="$HEAD" "$RAY" start --head --port="$PORT" --block &
    sleep 20
    srun --nodes="$((SLURM_JOB_NUM_NODES - 1))" --ntasks-per-node=1 --exclude="$HEAD" \
        "$RAY" start --address="$HEAD:$PORT" --block &
    sleep 20
    export RAY_ADDRESS="$HEAD:$PORT" N_NODES="$SLURM_JOB_NUM_NODES"
fi
exec bash "$@"
