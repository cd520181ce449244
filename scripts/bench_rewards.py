# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The code reward and its sandbox against their goals: what gets out, what is wronged, what it costs, what is left.

`python scripts/bench_rewards.py [--rows NAME ...] [--quick] [--evalplus-dir FOLDER] [--json FILE]` prints a Markdown
table, a line a goal. It ends with status 0 also where goals are missed: the table says so. Both sides of each ratio are
measured in the same run, in turns. Rows:

* attacks, correct: the corpora of tests/sandbox/programs, each program in a fresh sandbox without kept results, on this
  machine as it is and beside twice as many busy processes as it has processors.
* test-cost: a test of a program that does nothing, through the reward, over a bare start of the interpreter.
* environments: the verdicts of both corpora where different layers are in force, by tests/sandbox/environments.py.
* published: tests per second of problems of 20 trivial tests, in processes of 1.2 GB, beside a stand-in for the process
  model of the published reward (published_reward_model.py); and in a small process beside a large one.
* repeats: the correct programs and, where their files are at hand, the reference solutions of HumanEval+ and MBPP+,
  four times as many at once as there are processors. FOLDER has humanevalplus and mbppplus files of EvalPlus's.
* leftovers: processes under this one, its descriptors and temporary files after 10,000 short programs of all kinds.
* feedback: what is said of ten failing programs, by fresh processes with fresh sandboxes, in ten orders.
* overhead: wall time of problems of 20 tests of 20 ms of processor time, one test at a time.

Nothing is run where the sandbox's own canaries fail. Figures of time are those of an idle machine only where it is
idle. `--quick` runs a fortieth of it, in smaller processes, to see that all of it works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reward_costs import available_bytes, overhead_rows, published_rows, test_cost_rows
from reward_leftovers import leftover_rows
from reward_row import FULL, GIB, QUICK, Row, Scale
from reward_verdicts import (
    corpus_rows,
    environment_rows,
    feedback_rows,
    fresh_sandbox,
    oversubscribed_rows,
    processors,
)

from verl_sdpo.sandbox import SandboxSettings
from verl_sdpo.sandbox.doctor import examine

# In the order in which they are run: those that time something come first, while the machine is at rest.
ROWS: dict[str, Callable[[Scale, argparse.Namespace], list[Row]]] = {
    "test-cost": lambda scale, options: test_cost_rows(scale),
    "overhead": lambda scale, options: overhead_rows(scale),
    "published": lambda scale, options: published_rows(scale),
    "attacks": lambda scale, options: corpus_rows("attacks", scale),
    "correct": lambda scale, options: corpus_rows("correct", scale),
    "repeats": lambda scale, options: oversubscribed_rows(scale, options.evalplus_dir),
    "environments": lambda scale, options: environment_rows(scale),
    "leftovers": lambda scale, options: leftover_rows(scale),
    "feedback": lambda scale, options: feedback_rows(scale),
}


def machine() -> dict[str, Any]:
    """Layers in force and versions.

    Raises:
        SystemExit: the sandbox is not sound here, so nothing should be run in it.
        SandboxRefused: it cannot run anything here.
    """
    with fresh_sandbox() as sandbox:
        failed = [
            finding for finding in examine(sandbox, SandboxSettings().warm_packages()) if not finding.is_as_wanted
        ]
        layers = str(sandbox.layers())
    if failed:
        sys.exit(f"the sandbox is not sound on this machine: {failed}")
    huge_pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "layers": layers,
        "python": platform.python_version(),
        "numpy": version("numpy") if importlib.util.find_spec("numpy") else "not installed",
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processors": processors(),
        "memory_available": available_bytes(),
        "huge_pages": huge_pages.read_text(encoding="ascii").strip() if huge_pages.exists() else "none",
        "load": os.getloadavg()[0],
    }


def told(found: dict[str, Any]) -> str:
    return (
        f"In force: {found['layers']}.\n"
        f"Python {found['python']}, numpy {found['numpy']}, Linux {found['kernel']} on {found['architecture']}, "
        f"{found['processors']} processors, {found['memory_available'] / GIB:.1f} GiB available, huge pages "
        f"{found['huge_pages']}; load before {found['load']:.1f}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="default: all")
    parser.add_argument("--quick", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--evalplus-dir", type=Path, help="folder with EvalPlus's humanevalplus and mbppplus files")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    found = machine()
    print(told(found) + ("\nQuick: the figures mean nothing." if options.quick else "") + "\n")
    print("| row | what | goal | reached | met |\n|---|---|---|---|---|", flush=True)
    rows = []
    for name in ROWS:
        for row in ROWS[name](QUICK if options.quick else FULL, options) if name in options.rows else ():
            rows.append(row)
            print(row.line(), flush=True)
    if options.json:
        figures = {"machine": found, "is_quick": options.quick, "rows": [row._asdict() for row in rows]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
