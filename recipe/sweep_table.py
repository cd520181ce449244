# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How far runs have come, read from their folders."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from recipe.run_record import METRICS, STATUS, state_of

_HEAD = ("run", "state", "steps", "hours of steps", "exit status")


def status_table(base: Path, folders: Sequence[Path]) -> str:
    """A line a run, then how many are in which state. What is not known is blank, never zero."""
    rows = [_HEAD, *(_row(base, folder) for folder in folders)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = Counter(row[1] for row in rows[1:])
    return "\n".join([*lines, ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))])


def _row(base: Path, folder: Path) -> tuple[str, ...]:
    steps, seconds = _progress(folder / METRICS)
    status = json.loads((folder / STATUS).read_text(encoding="utf-8")) if (folder / STATUS).exists() else {}
    exit_status = status.get("exit_status")
    return (
        str(folder.relative_to(base)),
        state_of(folder),
        "" if steps is None else str(steps),
        "" if seconds is None else f"{seconds / 3600:.2f}",
        "" if exit_status is None else str(exit_status),
    )


def _progress(metrics: Path) -> tuple[int | None, float | None]:
    """The last step that was made, and the sum of `timing_s/step`."""
    steps, seconds = None, None
    for line in metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            # The last line of a run that is writing.
            continue
        time = record["data"].get("timing_s/step")
        if time is not None:
            steps, seconds = record["step"], (seconds or 0.0) + time
    return steps, seconds
