# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The mean line of a method's runs, and which of them it is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from verl_sdpo.reports.curves import NotThereError, generations_by_step, last_step, seconds_by_step
from verl_sdpo.reports.measures import SECONDS_PER_HOUR
from verl_sdpo.reports.runs import UNFINISHED, Run
from verl_sdpo.reports.tables import over_seeds

# (x, mean, standard error or nan)
Point = tuple[float, float, float]
Values = Callable[[Run], Mapping[int, float]]
# Of which state a line's runs are: the first that there is.
_SHOWN = ("finished", *UNFINISHED)


def hours_by_step(run: Run) -> dict[int, float]:
    return {step: seconds / SECONDS_PER_HOUR for step, seconds in seconds_by_step(run.history).items()}


X_AXES: dict[str, Values] = {
    "generations": lambda run: generations_by_step(run),
    "hours of training": hours_by_step,
}


def line(runs: Sequence[Run], x_of: Values, y_of: Values) -> tuple[list[Point], list[str]]:
    """Mean and standard error over the runs at each step that all of them have; x is the mean too.

    Over runs that came to their end, where there are any; else over those that are running, else over those that
    failed: one that stopped early would end the others' line there, or make the mean jump.

    Returns:
        The points, and a remark on each run that is not in them.
    """
    curves, remarks = [], []
    for run in runs:
        try:
            curves.append((run, _curve(run, x_of, y_of)))
        except NotThereError as reason:
            remarks.append(f"{run.identity}: {reason}")
    shown = next((state for state in _SHOWN if any(_state(run) == state for run, _ in curves)), None)
    for run, curve in curves:
        if _state(run) != shown:
            last = last_step(run.history, curve)
            remarks.append(f"{run.identity}: {run.state} at step {last}, not in the mean of the {shown} runs")
    kept = {run.identity: curve for run, curve in curves if _state(run) == shown}
    steps = sorted(set.intersection(*map(set, kept.values()))) if kept else []
    if kept and not steps:
        first, *others = kept
        remarks.append(f"{first} and {len(others)} more: no step that all of them have")
    return [_point([curve[step] for curve in kept.values()]) for step in steps], remarks


def _curve(run: Run, x_of: Values, y_of: Values) -> dict[int, tuple[float, float]]:
    """By step, x and y; never empty."""
    ys, xs = y_of(run), x_of(run)
    curve = {step: (xs[step], ys[step]) for step in ys if step in xs}
    if not curve:
        raise NotThereError("nothing to draw yet")
    return curve


def _state(run: Run) -> str:
    return run.state if run.is_unfinished else "finished"


def _point(places: Sequence[tuple[float, float]]) -> Point:
    x, _ = over_seeds([x for x, _ in places])
    return (x, *over_seeds([y for _, y in places]))
