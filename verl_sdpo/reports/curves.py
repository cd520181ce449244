# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run's accuracy, training time and generations at its steps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate

from verl_sdpo.reports.history import History
from verl_sdpo.reports.runs import Run

_ACCURACY = re.compile(r"val-core/(?P<source>.+)/(?P<kind>acc|reward)/mean@(?P<n>\d+)")


class NotThereError(Exception):
    """A number that a run does not have; why, in a few words."""


def is_accuracy(metric: str) -> bool:
    """Whether it is one that accuracies are read from: `val-core/<data source>/<acc or reward>/mean@<n>`."""
    return _ACCURACY.fullmatch(metric) is not None


def accuracy_metrics(run: Run) -> list[str]:
    """All of the run's."""
    return list(filter(is_accuracy, run.history))


def accuracy_metric(run: Run, wanted: str | None = None) -> str:
    """The name of the run's validation accuracy: `acc` before `reward`, and the one over the most answers.

    Args:
        wanted: this one and no other.

    Raises:
        NotThereError: it has not validated, or does not log what is wanted, or validates several data sources, so
            that one would have to be chosen.
    """
    found = [_ACCURACY.fullmatch(name) for name in accuracy_metrics(run)]
    if not found:
        raise NotThereError("no validation yet" if run.history else "no log")
    if wanted is not None:
        if wanted not in accuracy_metrics(run):
            raise NotThereError(f"does not log {wanted}")
        return wanted
    sources = sorted({match["source"] for match in found})
    if len(sources) > 1:
        raise NotThereError(f"validates {' and '.join(sources)}: choose with --metric")
    return min(found, key=lambda match: (match["kind"], -int(match["n"])))[0]


def num_answers(metric: str) -> int:
    """The n of avg@n."""
    return int(metric.rpartition("@")[2])


def accuracy_curve(run: Run, wanted: str | None = None) -> dict[int, float]:
    """Validation accuracy in percent by step."""
    return {step: 100 * value for step, value in run.history[accuracy_metric(run, wanted)].items()}


def teacher_metric(metric: str) -> str:
    """The self-teacher's accuracy beside the student's `metric`."""
    return metric.replace("val-core/", "val-self-teacher/", 1)


def last_step(history: History, others: Iterable[int] = ()) -> int:
    """The last step that was trained.

    Args:
        others: steps of another metric, whose last one counts where no step's time is logged.

    Raises:
        NotThereError: neither is there.
    """
    steps = [*history.get("timing_s/step", history.get("budget/seconds", ()))] or [*others]
    if not steps:
        raise NotThereError(_not_timed(history))
    return max(steps)


def seconds_by_step(history: History) -> dict[int, float]:
    """Training time in seconds after each step, 0 after step 0: without initialisation and validation.

    It is what the run's budget has counted, where that is logged, and else the sum of verl's `timing_s/step`.

    Raises:
        NotThereError: no step is timed, or not every one, so that the sum is not known.
    """
    if "budget/seconds" in history:
        return {0: 0.0, **history["budget/seconds"]}
    of_steps = history.get("timing_s/step")
    if not of_steps:
        raise NotThereError(_not_timed(history))
    if list(of_steps) != list(range(1, len(of_steps) + 1)):
        raise NotThereError("its log lacks steps, so that its hours are not known")
    return dict(enumerate(accumulate(of_steps.values(), initial=0.0)))


def response_lengths(run: Run) -> dict[int, float]:
    """By step, the mean length of its responses in tokens.

    Raises:
        NotThereError: they are not logged.
    """
    if not (lengths := run.history.get("response_length/mean")):
        raise NotThereError("no response lengths")
    return lengths


def generations_by_step(run: Run) -> dict[int, float]:
    """Samples that were trained on after each step, 0 after step 0.

    It is what the run's budget has counted, where that is logged, and else the steps times the samples that the
    configuration asks for.

    Raises:
        NotThereError: neither is known.
    """
    if "budget/generations" in run.history:
        return {0: 0.0, **run.history["budget/generations"]}
    if run.generations_per_step is None:
        raise NotThereError("budget/generations is not logged")
    return {step: float(step * run.generations_per_step) for step in range(last_step(run.history) + 1)}


def _not_timed(history: History) -> str:
    return "no step's time is logged" if history else "no log"
