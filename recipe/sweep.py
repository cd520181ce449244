# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Many runs of one recipe: tasks x models x methods x variants x seeds, here one after the other or as Slurm jobs.

`bash scripts/sweep.sh` is the command. What has finished, is running or waits in Slurm's queue is skipped; what failed
or was cut off starts again, and goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from recipe import slurm_jobs
from recipe.run_record import state_of, stopping_signals
from recipe.sweep_table import status_table

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What a recipe's script takes: `bash SCRIPT [TASK] METHOD [VARIANT]`, and the paper's choice of each."""

    script: str
    methods: tuple[str, ...]
    models: tuple[str, ...] = ("Qwen/Qwen3-8B",)
    # Empty: the script takes no task.
    tasks: tuple[str, ...] = ()
    # By method: what `--all-variants` stands for.
    variants: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    # Methods in which nothing is drawn: made once, as seed 0.
    without_seed: tuple[str, ...] = ()


def _joined(*choices: Sequence[str]) -> tuple[str, ...]:
    return tuple("_".join(words) for words in itertools.product(*choices))


_RATES, _MINI_BATCHES = ("lr1e-5", "lr1e-6"), ("mbs8", "mbs32")
EXPERIMENTS = {
    "science_qa": Experiment(
        "recipe/science_qa/run.sh",
        ("sdpo", "grpo", "grpo_on_policy"),
        ("Qwen/Qwen3-8B", "allenai/Olmo-3-7B-Instruct"),
        ("chemistry", "physics", "biology", "material", "tooluse"),
        # E.2.1.
        {
            "sdpo": _joined(("fkl", "jsd"), _RATES, _MINI_BATCHES),
            "grpo": _joined(_RATES, _MINI_BATCHES),
            "grpo_on_policy": _RATES,
        },
    ),
    "livecodebench": Experiment(
        "recipe/livecodebench/run.sh",
        ("sdpo", "grpo", "gspo", "cispo", "grpo_high_entropy", "sft_on_teacher"),
        variants={
            "sdpo": (
                *("credit_logit", "credit_token", "credit_sequence"),
                *("teacher_live", "teacher_frozen", "teacher_trust_region", "teacher_ema"),
                *("feedback_output", "feedback_solution", "feedback_both", "feedback_both_attempt"),
                "hybrid",
                *_joined([f"questions{n}" for n in (4, 8, 16, 32)], ("rollouts4", "rollouts8")),
            )
        },
    ),
    "test_time": Experiment(
        "recipe/test_time/run.sh",
        ("sdpo", "best_of_k", "multi_turn"),
        tasks=("hard", "very_hard"),
        # D.3, Figure 19.
        variants={"sdpo": ("rollouts8", "rollouts32"), "multi_turn": ("attempts_and_feedback",)},
    ),
    "forgetting": Experiment(
        "recipe/forgetting/run.sh", ("base", "sdpo", "grpo", "sft_on_teacher"), without_seed=("base",)
    ),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One call of a script, and the folder that it goes to."""

    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path


def main() -> None:
    arguments = _parser().parse_args()
    runs = list(_runs(arguments))
    base = Path(os.path.commonpath([run.folder for run in runs])) if len(runs) > 1 else runs[0].folder.parent
    if arguments.status:
        print(status_table(base, [run.folder for run in runs]))
        return
    if arguments.dry_run:
        for run in runs:
            print(f"# {slurm_jobs.state_with_job(run.folder)}: {run.folder}", flush=True)
            if arguments.launcher == "slurm":
                print(" ".join(slurm_jobs.command_of(run.folder, run.command[1:])))
            else:
                variables = os.environ | run.environment | {"DRY_RUN": "1"}
                subprocess.run(run.command, env=variables, cwd=ROOT, check=True)
        return
    exit_status = submit(runs) if arguments.launcher == "slurm" else run_here(runs)
    print(status_table(base, [run.folder for run in runs]))
    sys.exit(exit_status)


def run_here(runs: Sequence[Run]) -> int:
    """One after the other; a failure does not end the sweep. Returns its exit status, 128 + n if signal n ended it."""
    asked: list[int] = []
    process: subprocess.Popen | None = None

    def pass_on(number: int, _: object) -> None:
        asked.append(number)
        if process is not None:
            process.send_signal(number)

    for number in stopping_signals():
        signal.signal(number, pass_on)
    for run in _to_start(runs):
        if asked:
            break
        # A session of its own: Ctrl-C reaches the run once, from here.
        started = subprocess.Popen(run.command, env=os.environ | run.environment, cwd=ROOT, start_new_session=True)
        process, early = started, list(asked)
        for number in early:
            process.send_signal(number)
        process.wait()
        process = None
    if asked:
        return 128 + asked[0]
    return int(any(state_of(run.folder) != "finished" for run in runs))


def submit(runs: Sequence[Run]) -> int:
    """Each as a job, up to the first that is refused: what refuses one, such as a limit, refuses those behind it."""
    waiting = list(_to_start(runs))
    for index, run in enumerate(waiting):
        try:
            job = slurm_jobs.submit(run.folder, run.command[1:], os.environ | run.environment, ROOT)
        except slurm_jobs.Refused as reason:
            print(f"error: {len(waiting) - index} not submitted, from {run.folder} on: {reason}", flush=True)
            return 1
        print(f"{run.folder}: job {job}", flush=True)
    return 0


def _to_start(runs: Sequence[Run]) -> Iterator[Run]:
    for run in runs:
        state = slurm_jobs.state_with_job(run.folder)
        if state in ("finished", "running", "submitted"):
            print(f"{run.folder}: {state}, skipped", flush=True)
        else:
            yield run


def _runs(arguments: argparse.Namespace) -> Iterator[Run]:
    """Those of the grid, each folder once."""
    experiment = EXPERIMENTS[arguments.experiment]
    seen = set()
    for task, model, method, seed in itertools.product(
        arguments.tasks or experiment.tasks or ("",),
        arguments.models or experiment.models,
        arguments.methods or experiment.methods,
        arguments.seeds,
    ):
        variants = experiment.variants.get(method, ("",)) if arguments.all_variants else arguments.variants
        for variant in variants:
            words = [word for word in (task, method, variant) if word]
            command = ("bash", experiment.script, *words, *arguments.overrides)
            seed_of_run = 0 if method in experiment.without_seed else seed
            environment = {"SEED": str(seed_of_run), "MODEL": model, "PYTHON": os.environ.get("PYTHON", sys.executable)}
            folder = _folder(command, environment)
            if folder not in seen:
                seen.add(folder)
                yield Run(command, environment, folder)


def _folder(command: Sequence[str], environment: dict[str, str]) -> Path:
    """Where the script says that the run goes."""
    variables = os.environ | environment | {"SHOW_FOLDER": "1"}
    shown = subprocess.run(command, env=variables, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")
    if shown.returncode != 0:
        sys.exit(shown.returncode)
    return Path(shown.stdout.strip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sweep.sh", description=__doc__.splitlines()[0])
    parser.add_argument("experiment", choices=sorted(EXPERIMENTS))
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: the paper's")
    parser.add_argument("--models", nargs="+", metavar="ID", help="default: the paper's")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="default: all of the recipe")
    parser.add_argument("--variants", nargs="+", default=[""], metavar="NAME", help="default: none")
    parser.add_argument(
        "--all-variants", action="store_true", help="science_qa: the grid of E.2.1; livecodebench: ablations"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N")
    parser.add_argument("--overrides", nargs="+", default=[], metavar="KEY=VALUE", help="for every run")
    parser.add_argument("--launcher", choices=["local", "slurm"], default="local")
    parser.add_argument("--status", action="store_true", help="only print the table")
    parser.add_argument(
        "--dry-run", action="store_true", default=os.environ.get("DRY_RUN") == "1", help="print commands, start nothing"
    )
    return parser


if __name__ == "__main__":
    main()
