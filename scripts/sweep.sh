#!/usr/bin/env bash
# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# Many runs of one recipe: here, one after the other, or as Slurm jobs. Run it again after failures: what has finished,
# or is under way, is skipped, what failed or was killed starts again and resumes.
#
#   bash scripts/sweep.sh science_qa --seeds 0 1 2                       section 3: tasks x models x methods x seeds
#   bash scripts/sweep.sh science_qa --methods grpo --all-variants       the grid of E.2.1
#   bash scripts/sweep.sh livecodebench --methods sdpo --all-variants    section 4's ablations
#   bash scripts/sweep.sh livecodebench --seeds 0 1 2 --launcher slurm   a job a run, from scripts/slurm_job.sh
#   bash scripts/sweep.sh livecodebench --seeds 0 1 2 --status           how far they are
#   bash scripts/sweep.sh forgetting --seeds 0 1 2                       Table 5, once the runs of section 4 are there
#
# --help lists the options; DRY_RUN=1 prints the commands. Variables reach the runs: recipe/common.sh lists them. Slurm's
# own choose the place of the jobs: SBATCH_ACCOUNT, SBATCH_PARTITION, SBATCH_TIMELIMIT.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHON="${PYTHON:-$PWD/.venv/bin/python}"
exec "$PYTHON" -m recipe.sweep "$@"
