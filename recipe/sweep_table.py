# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How far runs have come, read from their folders."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recipe.run_metrics import metrics_of
from recipe.run_record import STATUS
from recipe.slurm_jobs import state_with_job

_HEAD = ("run", "state", "steps", "hours of steps", "exit status")


def status_table(base: Path, folders: Sequence[Path]) -> str:
    """A line a run, then how many are in which state. What is not known is blank, never zero."""
    rows = [_HEAD, *(_row(base, folder) for folder in folders)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = Counter(row[1] for row in rows[1:])
    return "\n".join([*lines, ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))])


def _row(base: Path, folder: Path) -> tuple[str, ...]:
    steps, seconds = _progress(folder)
    status = json.loads((folder / STATUS).read_text(encoding="utf-8")) if (folder / STATUS).exists() else {}
    exit_status = status.get("exit_status")
    return (
        str(folder.relative_to(base)),
        state_with_job(folder),
        "" if steps is None else str(steps),
        "" if seconds is None else f"{seconds / 3600:.2f}",
        "" if exit_status is None else str(exit_status),
    )


def _progress(folder: Path) -> tuple[int | None, float | None]:
    """The last step that was made, and the sum of `timing_s/step`, of all starts."""
    times = {record["step"]: record["data"].get("timing_s/step") for record in metrics_of(folder)}
    made = {step: seconds for step, seconds in times.items() if seconds is not None}
    return (max(made), sum(made.values())) if made else (None, None)
