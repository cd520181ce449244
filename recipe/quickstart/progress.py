# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Follow a training run in another process: one line each time it has validated, until it ends.

`python -m recipe.quickstart.progress --run DIR --pid PID --steps N --name NAME`
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from recipe.quickstart.report import ACCURACY, read_metrics

POLL_SECONDS = 1.0
# A sign of life while nothing is logged: engines take about a minute to start.
SILENCE_SECONDS = 15.0


def is_alive(pid: int) -> bool:
    """Whether the process is running; a child that has ended and was not waited for is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    except OSError:
        os.kill(pid, 0)
        return True
    return state != "Z"


def follow(run: Path, pid: int, steps: int, name: str) -> None:
    """Print what the run logs, until process `pid` has ended."""
    started = last_words = time.monotonic()
    printed = 0
    while True:
        ended = not is_alive(pid)
        records = read_metrics(run / "metrics.jsonl")
        for record in records[printed:]:
            accuracy = record["data"].get(ACCURACY)
            if accuracy is not None:
                elapsed = time.monotonic() - started
                step = record["step"]
                print(f"  {name} step {step:3d}/{steps}  accuracy {accuracy:6.1%}  {elapsed:4.0f} s", flush=True)
                last_words = time.monotonic()
        printed = len(records)
        if ended:
            return
        if time.monotonic() - last_words > SILENCE_SECONDS:
            what = f"step {records[-1]['step']}" if records else "starting Ray, trainer and rollout engine"
            print(f"  {name} {what} ...", flush=True)
            last_words = time.monotonic()
        time.sleep(POLL_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    follow(arguments.run, arguments.pid, arguments.steps, arguments.name)


if __name__ == "__main__":
    main()
