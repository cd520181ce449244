# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A recipe's script from start to end with SMOKE=1, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 500


@dataclass(frozen=True)
class SmokeRun:
    exit_status: int
    seconds: float
    folder: Path
    output: str

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def metrics(self) -> dict[int, dict[str, float]]:
        lines = (self.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return {record["step"]: record["data"] for record in map(json.loads, lines)}


def smoke_run(arguments: tuple[str, ...], out: Path, **variables: str) -> SmokeRun:
    """Script and arguments, e.g. `("recipe/science_qa/run.sh", "chemistry", "sdpo")`."""
    environment = os.environ | {"SMOKE": "1", "OUT": str(out), "PYTHON": sys.executable} | variables
    command = ["bash", str(ROOT / arguments[0]), *arguments[1:]]
    shown = subprocess.run(
        command, env=environment | {"SHOW_FOLDER": "1"}, capture_output=True, text=True, check=True, cwd=out
    )
    start = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, cwd=out, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        # The second one ends everything that the run has started (docs/reliability.md).
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            time.sleep(1)
        output, _ = process.communicate(timeout=60)
    return SmokeRun(process.returncode, time.monotonic() - start, Path(shown.stdout.strip()), output)


def note_in_table(arguments: tuple[str, ...], made: SmokeRun) -> None:
    """A row of the table that scripts/soak.sh prints, where it asks for one."""
    if table := os.environ.get("VERL_SDPO_SMOKE_TABLE"):
        with open(table, "a", encoding="utf-8") as file:
            file.write(f"| `{arguments[0]}` | {' '.join(arguments[1:])} | {made.exit_status} | {made.seconds:.0f} |\n")
