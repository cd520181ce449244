# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a run logged, as one table: metric, step, value. One rule for runs that were resumed, whatever logged them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# By metric, by step. Only the metrics that some table or figure is made from.
History = dict[str, dict[int, float]]
Record = tuple[int, Mapping[str, Any]]

_USED = re.compile(
    r"(?:val-core|val-self-teacher)/.+/(?:acc|reward)/mean@\d+"
    r"|timing_s/step|budget/seconds|budget/generations|response_length/mean|actor/(?:entropy|grad_norm|loss)"
)


class UnreadableError(Exception):
    """A log that cannot be read; one line that says why and what to do."""


def combine(records: Iterable[Record]) -> History:
    """The history that `records`, in the order they were written, add up to.

    A record of step n says that the run is at step n: what an earlier life of it logged of later steps was lost with
    it and is dropped; what was logged of step n itself is kept where the record does not have it anew (a resumed run
    validates again at the step of its checkpoint, but has not trained it again).

    Args:
        records: (step, {metric: value}); values that are no finite number are left out.
    """
    by_step: dict[int, dict[str, float]] = {}
    latest = -1
    for step, data in records:
        if step < latest:
            for lost in [each for each in by_step if each > step]:
                del by_step[lost]
        latest = step
        kept = {name: float(value) for name, value in data.items() if _USED.fullmatch(name) and is_number(value)}
        by_step.setdefault(step, {}).update(kept)
    history: History = {}
    for step in sorted(by_step):
        for name, value in by_step[step].items():
            history.setdefault(name, {})[step] = value
    return history


def read_file_log(path: Path) -> tuple[list[Record], list[str]]:
    """The records of verl's file logger, `{"step": int, "data": {name: value}}` a line, and remarks.

    A killed run's last line may be cut off; such lines are left out and remarked on.
    """
    records: list[Record] = []
    damaged = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                records.append((int(record["step"]), dict(record["data"])))
            except (ValueError, KeyError, TypeError):
                damaged.append(str(number))
    remarks = [f"{path.name}: damaged and left out: line {', '.join(damaged)}"] if damaged else []
    return records, remarks


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
