# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What verl's file logger has said of a run, in all of its starts.

verl empties the file that it is given (`verl.utils.tracking`, verl 0.9.1), so that what earlier starts have logged is
put aside before a start and joined to the rest after it. `metrics_of` reads both as one at any time.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.durable import write_whole

METRICS = "metrics.jsonl"
_EARLIER = "metrics_of_earlier_starts.jsonl"


def metrics_of(folder: Path) -> list[dict[str, Any]]:
    """`{"step", "data"}` by step, each step once, as it was made last; writes nothing."""
    new = _records(folder / METRICS)
    first = min((record["step"] for record in new), default=None)
    # A resumed run logs its validation before the first step under the step that it goes on from.
    kept = [record for record in _records(folder / _EARLIER) if first is None or record["step"] <= first]
    return _merged(kept + new)


def put_metrics_aside(folder: Path) -> None:
    """Before a start."""
    join_metrics(folder)
    if (folder / METRICS).exists():
        (folder / METRICS).replace(folder / _EARLIER)


def join_metrics(folder: Path) -> None:
    """After a start, or before the next one: one file has it all."""
    if not (folder / _EARLIER).exists():
        return
    write_whole(folder / METRICS, "".join(json.dumps(record) + "\n" for record in metrics_of(folder)))
    (folder / _EARLIER).unlink()


def _records(path: Path) -> list[dict[str, Any]]:
    """Those of whole lines; the last one may be cut off by a kill, or not be written to its end."""
    records = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                records.append(json.loads(line))
    return records


def _merged(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record a step: verl logs each once, a resumed run one more time what it validates before it goes on."""
    steps: dict[int, dict[str, Any]] = {}
    for record in records:
        steps[record["step"]] = steps.get(record["step"], {}) | record["data"]
    return [{"step": step, "data": data} for step, data in sorted(steps.items())]
