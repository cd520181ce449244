# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Sweeps with stand-ins for what takes hours: the interpreter that trains, and sbatch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recipe import sweep as sweep_module
from recipe.run_record import state_of

ROOT = Path(__file__).parents[2]
# Called as the scripts call Python: it trains if it is asked to and runs everything else.
STAND_IN = """#!/bin/bash
if [[ "$*" == *"recipe.run_record"* || "$*" == "-m recipe.sweep "* ]]; then exec {python} "$@"; fi
if [[ "$2" == verl_sdpo.main_sdpo ]]; then
    echo "$*" >>"{log}"
    echo started
    [[ "$*" == *algorithm.adv_estimator=grpo* && -f "{folder}/grpo_fails" ]] && exit 7
    while [[ -f "{folder}/hold" ]]; do sleep 0.1; done
    exit 0
fi
exit 99
"""
SBATCH = """#!/bin/bash
if [[ -f "{folder}/limit" && "$(wc -l <"{folder}/jobs")" -ge "$(cat "{folder}/limit")" ]]; then
    echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2
    echo "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy" >&2
    exit 1
fi
printf '%s\\n' "$*" >>"{folder}/jobs"
# With --parsable the number alone, and the cluster where there are several.
echo "$(wc -l <"{folder}/jobs");cluster"
[[ -f "{folder}/all_wait" ]] && exit
while [[ "$1" == --* ]]; do shift; done
# As Slurm does: a copy of the script, in another folder, in the folder of the submission.
cp "$1" "{folder}/slurm_script"
shift
SLURM_SUBMIT_DIR="$PWD" bash "{folder}/slurm_script" "$@" >"{folder}/slurm_output" 2>&1
exit 0
"""
# Of a job that has ended it prints nothing; one that it has forgotten is an error.
SQUEUE = """#!/bin/bash
if grep -qx -- "$3" "{folder}/waiting"; then echo "$3 gpu name user PD 0:00 1 (Priority)"; exit; fi
echo "slurm_load_jobs error: Invalid job id specified" >&2
exit 1
"""


@pytest.fixture
def sweep(tmp_path):
    """`sweep(*arguments, **variables)`: the process of scripts/sweep.sh, its runs in tmp_path/out."""
    for name, text in (("python", STAND_IN), ("sbatch", SBATCH), ("squeue", SQUEUE)):
        path = tmp_path / name
        path.write_text(text.format(python=sys.executable, folder=tmp_path, log=tmp_path / "trained"))
        path.chmod(0o755)
    for split in ("train", "test"):
        data = tmp_path / "data" / "lcb_v6" / f"{split}.parquet"
        data.parent.mkdir(parents=True, exist_ok=True)
        data.touch()

    def start(*arguments, experiment="livecodebench", **variables):
        environment = os.environ | {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHON": str(tmp_path / "python"),
            "OUT": str(tmp_path / "out"),
            "DATA": str(tmp_path / "data"),
        }
        return subprocess.Popen(
            ["bash", str(ROOT / "scripts" / "sweep.sh"), experiment, *arguments],
            env=environment | variables,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def ended(process):
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def trained(folder):
    path = folder / "trained"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_what_failed_is_started_again_and_what_finished_is_not(tmp_path, sweep):
    (tmp_path / "grpo_fails").touch()
    grid = ("--methods", "sdpo", "grpo", "--seeds", "0", "1")
    exit_status, output = ended(sweep(*grid))
    assert exit_status == 1, output
    assert output.splitlines()[-1] == "2 failed, 2 finished"
    assert trained(tmp_path) == 4
    base = tmp_path / "out" / "livecodebench" / "v6" / "qwen3-8b"
    assert [state_of(base / name) for name in ("sdpo/seed1", "grpo/seed1")] == ["finished", "failed"]
    (tmp_path / "grpo_fails").unlink()
    exit_status, output = ended(sweep(*grid))
    assert exit_status == 0
    assert output.splitlines()[-1] == "4 finished"
    assert output.count("finished, skipped") == 2
    assert trained(tmp_path) == 6


def test_neither_the_status_nor_a_dry_run_starts_or_writes_anything(tmp_path, sweep):
    exit_status, output = ended(sweep("--methods", "sdpo", "--all-variants", "--status"))
    assert exit_status == 0, output
    # 18 of 20 variants: two are the plain run, of which a third stands for it.
    assert output.splitlines()[-1] == "18 missing"
    exit_status, output = ended(sweep("--methods", "gspo", DRY_RUN="1"))
    assert "loss_mode=gspo" in output
    exit_status, output = ended(sweep("--methods", "gspo", "--launcher", "slurm", "--dry-run"))
    assert "sbatch --parsable --job-name=livecodebench-v6-qwen3-8b-gspo-seed0" in output
    assert exit_status == 0
    assert trained(tmp_path) == 0
    assert not (tmp_path / "out").exists()


def test_the_model_before_training_is_evaluated_once_whatever_the_seeds(tmp_path, sweep):
    seeds = ("--seeds", "1", "2")
    exit_status, output = ended(sweep("--methods", "base", "sdpo", *seeds, "--status", experiment="forgetting"))
    assert exit_status == 0, output
    assert [line.split()[0] for line in output.splitlines()[1:-1]] == ["base/seed0", "sdpo/seed1", "sdpo/seed2"]


def test_an_unknown_variant_ends_the_sweep_before_anything_starts(tmp_path, sweep):
    exit_status, output = ended(sweep("--methods", "sdpo", "--variants", "", "teacher_alive"))
    assert exit_status == 2
    assert "variant 'teacher_alive' is not known" in output
    assert trained(tmp_path) == 0


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_sweep_that_is_told_to_stop_stops_its_run_and_starts_no_other(tmp_path, sweep, number, expected):
    (tmp_path / "hold").touch()
    process = sweep("--methods", "sdpo", "grpo")
    deadline = time.monotonic() + 60
    while trained(tmp_path) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    exit_status, output = ended(process)
    assert exit_status == expected, output
    assert output.splitlines()[-1] == "1 missing, 1 stopped"
    assert trained(tmp_path) == 1


def test_a_sweep_that_is_told_to_stop_between_two_runs_starts_no_other(tmp_path, monkeypatch):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}

    def asked_then(runs):
        os.kill(os.getpid(), signal.SIGTERM)
        yield from runs

    monkeypatch.setattr(sweep_module, "_to_start", asked_then)
    started = tmp_path / "started"
    try:
        assert sweep_module.run_here([sweep_module.Run(("touch", str(started)), {}, tmp_path)]) == 143
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert not started.exists()


def test_slurm_gets_a_job_a_run_with_shape_and_name_and_the_job_is_the_run(tmp_path, sweep):
    variables = {"N_NODES": "2", "N_GPUS": "8", "SBATCH_ACCOUNT": "of_the_user"}
    exit_status, output = ended(sweep("--methods", "sdpo", "--seeds", "4", "--launcher", "slurm", **variables))
    assert exit_status == 0, output
    [job] = (tmp_path / "jobs").read_text().splitlines()
    options = [word for word in job.split() if word.startswith("--")]
    folder = tmp_path / "out" / "livecodebench" / "v6" / "qwen3-8b" / "sdpo" / "seed4"
    assert options == [
        "--parsable",
        "--job-name=livecodebench-v6-qwen3-8b-sdpo-seed4",
        "--dependency=singleton",
        "--nodes=2",
        "--ntasks-per-node=1",
        "--gpus-per-node=8",
        f"--output={folder}/slurm-%j.txt",
    ]
    # sbatch reads the account from its own variable.
    assert "account" not in job
    assert state_of(folder) == "finished"
    command = (tmp_path / "trained").read_text()
    assert "trainer.nnodes=2" in command
    assert "trainer.seed=4" in command
    head = (ROOT / "scripts" / "slurm_job.sh").read_text()
    assert "\n#SBATCH --signal=B:TERM@1200\n" in head


def test_what_waits_in_the_queue_is_not_submitted_again(tmp_path, sweep):
    (tmp_path / "all_wait").touch()
    (tmp_path / "waiting").write_text("1\n2\n")
    slurm = ("--methods", "sdpo", "grpo", "--launcher", "slurm")
    for _ in range(2):
        exit_status, output = ended(sweep(*slurm))
        assert exit_status == 0, output
        assert output.splitlines()[-1] == "2 submitted"
    assert output.count("submitted, skipped") == 2
    # The second was cancelled.
    (tmp_path / "waiting").write_text("1\n")
    assert ended(sweep(*slurm, "--status"))[1].splitlines()[-1] == "1 missing, 1 submitted"
    ended(sweep(*slurm))
    (tmp_path / "squeue").write_text("")
    assert ended(sweep(*slurm, "--status"))[1].splitlines()[-1] == "2 missing"
    assert [job.split("qwen3-8b-")[1].split("-")[0] for job in (tmp_path / "jobs").read_text().splitlines()] == [
        *("sdpo", "grpo"),
        "grpo",
    ]


def test_a_job_that_sbatch_refuses_ends_the_submissions_with_its_reason_and_the_table(tmp_path, sweep):
    for name, text in (("all_wait", ""), ("waiting", "1\n"), ("limit", "1"), ("jobs", "")):
        (tmp_path / name).write_text(text)
    exit_status, output = ended(sweep("--methods", "sdpo", "grpo", "gspo", "--launcher", "slurm"))
    assert exit_status == 1
    [line] = [line for line in output.splitlines() if "error" in line]
    assert line.startswith("error: 2 not submitted, from ")
    assert line.endswith("/grpo/seed0 on: Batch job submission failed: Job violates accounting/QOS policy")
    assert output.splitlines()[-1] == "2 missing, 1 submitted"
    (tmp_path / "sbatch").unlink()
    exit_status, output = ended(sweep("--methods", "gspo", "--launcher", "slurm"))
    assert exit_status == 1
    assert "No such file or directory: 'sbatch'" in output
    assert output.splitlines()[-1] == "1 missing"
