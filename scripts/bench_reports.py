# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How long it takes from finished run folders to all tables and figures.

`python scripts/bench_reports.py` makes logs of section 3's runs (5 tasks x 2 models x 3 methods x 3 seeds, made-up
numbers, as many steps and metrics as a real run logs), and runs `python -m verl_sdpo.reports` on them, with figures and
without. docs/reports.md has the figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASKS = ("biology", "chemistry", "material", "physics", "tooluse")
MODELS = ("Qwen/Qwen3-8B", "allenai/Olmo-3-7B-Instruct")
METHODS = ("sdpo", "grpo", "grpo_on_policy")
SEEDS = (0, 1, 2)
# A run of SDPO logs about this many a step; a validation adds as many.
OTHER_METRICS = 140


def write_run(folder: Path, told: dict[str, object], num_steps: int) -> None:
    """A run of five hours that validates every tenth step."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "status.json").write_text(json.dumps({"state": "finished", "exit_status": 0}), encoding="utf-8")
    rng = random.Random(str(told))
    seconds = 5 * 3600 / num_steps
    with (folder / "metrics.jsonl").open("w", encoding="utf-8") as log:
        for step in range(num_steps + 1):
            data = {f"other/metric_{number}": rng.random() for number in range(OTHER_METRICS)} if step else {}
            if step:
                data |= {"timing_s/step": seconds, "budget/seconds": seconds * step, "budget/generations": 256 * step}
                data |= {"response_length/mean": 500 + 100 * rng.random(), "actor/entropy": rng.random()}
            if step % 10 == 0:
                data |= {f"val-aux/{told['task']}/metric_{number}": rng.random() for number in range(OTHER_METRICS)}
                data[f"val-core/{told['task']}/acc/mean@16"] = 0.4 + 0.4 * step / num_steps * rng.random()
            log.write(json.dumps({"step": step, "data": data}) + "\n")


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a process that has to succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task, model, method, seed in itertools.product(TASKS, MODELS, METHODS, SEEDS):
            told = {"experiment": "science_qa", "task": task, "model": model, "method": method, "seed": seed}
            write_run(folder / "runs" / task / model.split("/")[1] / method / f"seed{seed}", told, given.steps)
        logs = list((folder / "runs").rglob("metrics.jsonl"))
        size = sum(path.stat().st_size for path in logs)
        print(f"{len(logs)} runs of {given.steps} steps, {size / 2**20:.0f} MiB of logs")
        command = [sys.executable, "-m", "verl_sdpo.reports", str(folder / "runs"), "--output", str(folder / "report")]
        for what, more in (("tables", ["--no-figures"]), ("tables and figures", [])):
            wall, cpu = zip(*(timed([*command, *more]) for _ in range(given.repeat)))
            print(f"{what}: {min(wall):.1f} s of wall time, {min(cpu):.1f} s of CPU time (best of {given.repeat})")


if __name__ == "__main__":
    main()
