# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs as Slurm jobs: how one is submitted, and whether Slurm still has the one of a folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from recipe.run_record import state_of

JOB = "scripts/slurm_job.sh"
_JOB_ID = "slurm_job_id"


class Refused(Exception):
    """sbatch has taken no job; the reason is in one line."""


def command_of(folder: Path, script: Sequence[str]) -> list[str]:
    """Account, partition, time limit and the like are sbatch's own variables: SBATCH_ACCOUNT, SBATCH_PARTITION, ..."""
    nodes, gpus = os.environ.get("N_NODES", "1"), os.environ.get("N_GPUS", "4")
    return [
        "sbatch",
        "--parsable",
        # Two jobs of one run: the second waits, and then finds it finished.
        f"--job-name={'-'.join(folder.parts[-5:])}",
        "--dependency=singleton",
        f"--nodes={nodes}",
        "--ntasks-per-node=1",
        f"--gpus-per-node={gpus}",
        f"--output={folder}/slurm-%j.txt",
        JOB,
        *script,
    ]


def submit(folder: Path, script: Sequence[str], environment: Mapping[str, str], root: Path) -> str:
    """The job's number, which is kept in the folder.

    Raises:
        Refused: sbatch is missing, or has said no.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        said = subprocess.run(
            command_of(folder, script), env=environment, cwd=root, capture_output=True, encoding="utf-8", check=True
        )
    except OSError as error:
        raise Refused(str(error)) from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        raise Refused(lines[-1].removeprefix("sbatch: error: ")) from None
    # Where there are several clusters, "number;cluster".
    job = said.stdout.strip().rpartition("\n")[2].partition(";")[0]
    (folder / _JOB_ID).write_text(f"{job}\n", encoding="utf-8")
    return job


def state_with_job(folder: Path) -> str:
    """`state_of`, or submitted, where the run neither goes on nor has finished and Slurm has its job."""
    state = state_of(folder)
    return "submitted" if state not in ("finished", "running") and _is_in_queue(folder) else state


def _is_in_queue(folder: Path) -> bool:
    """squeue prints no line for a job that has ended, and fails for one that it has forgotten, or is missing."""
    try:
        job = (folder / _JOB_ID).read_text(encoding="utf-8").strip()
        shown = subprocess.run(["squeue", "-h", "-j", job], capture_output=True, encoding="utf-8")
    except OSError:
        return False
    return shown.returncode == 0 and bool(shown.stdout.strip())
