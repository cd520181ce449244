# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One number of one run, as the paper's tables have them: accuracy in percent, length in tokens, entropy in nat.

A run that is still running, or failed, counts for a bound (hours, steps) that it has passed: nothing that follows can
change that number. One that ended earlier counts too, and is marked as short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verl_sdpo.reports import discoveries
from verl_sdpo.reports.curves import (
    NotThereError,
    accuracy_curve,
    accuracy_metric,
    last_step,
    num_answers,
    response_lengths,
    seconds_by_step,
    teacher_metric,
)
from verl_sdpo.reports.evaluations import score_of
from verl_sdpo.reports.runs import Run

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Options:
    """What the numbers of a report depend on, besides the runs."""

    # The validation metric to take, for runs that have several.
    metric: str | None = None


@dataclass(frozen=True)
class Measured:
    """A run's number, and how far the run came where that is short of the bound."""

    value: float
    short: str = ""
    # The n of an accuracy's avg@n.
    answers: int | None = None


def best(run: Run, options: Options) -> Measured:
    """The best validation after step 0: the model that training began with is no candidate."""
    curve = _trained(accuracy_curve(run, options.metric), lambda step: True)
    _refuse_unfinished(run, f"at step {last_step(run.history, curve)}")
    return Measured(max(curve.values()), answers=_answers(run, options))


def best_within_hours(run: Run, options: Options, hours: float) -> Measured:
    """The best validation within so many hours of training, the model before training apart (Tables 3 and 7)."""
    curve = accuracy_curve(run, options.metric)
    seconds = seconds_by_step(run.history)
    within = _trained(curve, lambda step: seconds.get(step, math.inf) <= hours * SECONDS_PER_HOUR)
    return Measured(max(within.values()), _short_of_hours(run, hours, seconds), _answers(run, options))


def best_by_step(run: Run, options: Options, step: int) -> Measured:
    """The best validation of steps 1 to `step`."""
    return _of_steps(run, options, step, max)


def average_by_step(run: Run, options: Options, step: int) -> Measured:
    """The mean over the validations of steps 1 to `step`."""
    return _of_steps(run, options, step, lambda values: sum(values) / len(values))


def initial_accuracy(run: Run, options: Options) -> Measured:
    """The validation before training."""
    value = _at_zero(accuracy_curve(run, options.metric), "not validated before training")
    return Measured(value, answers=_answers(run, options))


def initial_teacher_accuracy(run: Run, options: Options) -> Measured:
    """The self-teacher's accuracy before training (trainer.validate_self_teacher)."""
    name = teacher_metric(accuracy_metric(run, options.metric))
    value = 100 * _at_zero(run.history.get(name, {}), "self-teacher not validated before training")
    return Measured(value, answers=_answers(run, options))


def mean_entropy(run: Run, options: Options, step: int) -> Measured:
    """Mean over steps 1 to `step` of the student's entropy, in nat."""
    return _mean_by_step(run, "actor/entropy", step)


def mean_response_length(run: Run, options: Options, hours: float) -> Measured:
    """Mean over the steps within so many hours of training of the step's mean response length, in tokens."""
    seconds = seconds_by_step(run.history)
    values = [
        value
        for step, value in response_lengths(run).items()
        if seconds.get(step, math.inf) <= hours * SECONDS_PER_HOUR
    ]
    if not values:
        raise NotThereError("no response lengths")
    return Measured(sum(values) / len(values), _short_of_hours(run, hours, seconds))


def mean_first_success(run: Run, options: Options, questions: int, generations: int) -> Measured:
    """Mean over questions of the generation that succeeded first; the bound for a question not solved within it."""
    return Measured(discoveries.mean_first_success(_discovery(run, questions, generations)))


def discovery(run: Run, options: Options, questions: int, generations: int) -> Measured:
    """discovery@k in percent: questions solved within k generations (Definition 5.1)."""
    return Measured(100 * float(_discovery(run, questions, generations)[-1]))


def evaluated_or_best_by_step(run: Run, options: Options, step: int) -> Measured:
    """Accuracy on LiveCodeBench of the model that was evaluated, where it was, else the best validation to `step`."""
    try:
        return external_score(run, options, "livecodebench")
    except NotThereError:
        return best_by_step(run, options, step)


def external_score(run: Run, options: Options, benchmark: str) -> Measured:
    """A benchmark's score in percent, from the JSON files of evaluations in the run's folder."""
    score = score_of(run.folder, benchmark)
    return Measured(score.value, answers=score.answers)


MEASURES: dict[str, Callable[..., Measured]] = {
    each.__name__: each
    for each in (
        best,
        best_within_hours,
        best_by_step,
        average_by_step,
        initial_accuracy,
        initial_teacher_accuracy,
        mean_entropy,
        mean_response_length,
        mean_first_success,
        discovery,
        external_score,
        evaluated_or_best_by_step,
    )
}


def _discovery(run: Run, questions: int, generations: int) -> np.ndarray:
    """(generations,), of a run on so many questions that has at least this budget."""
    found = len(discoveries.questions_of(run))
    if found != questions:
        raise NotThereError(f"{found} of {questions} questions are over")
    curve = discoveries.discovery_of(run)
    if len(curve) < generations:
        raise NotThereError(f"budget of {len(curve)} generations")
    return curve[:generations]


def _answers(run: Run, options: Options) -> int:
    return num_answers(accuracy_metric(run, options.metric))


def _of_steps(run: Run, options: Options, step: int, reduce: Callable[[Sequence[float]], float]) -> Measured:
    curve = accuracy_curve(run, options.metric)
    within = _trained(curve, lambda each: each <= step)
    reached = last_step(run.history, curve)
    short = _short(run, reached < step, f"step {reached}")
    return Measured(reduce(list(within.values())), short, _answers(run, options))


def _mean_by_step(run: Run, metric: str, step: int) -> Measured:
    by_step = run.history.get(metric, {})
    values = [value for each, value in by_step.items() if 0 < each <= step]
    if not values:
        raise NotThereError(f"{metric} is not logged")
    reached = last_step(run.history, by_step)
    return Measured(sum(values) / len(values), _short(run, reached < step, f"step {reached}"))


def _trained(curve: Mapping[int, float], is_within: Callable[[int], bool]) -> dict[int, float]:
    found = {step: value for step, value in curve.items() if step > 0 and is_within(step)}
    if not found:
        raise NotThereError("no validation in this time")
    return found


def _short_of_hours(run: Run, hours: float, seconds: Mapping[int, float]) -> str:
    spent = max(seconds.values())
    # A budget ends one step ahead: a run that has ended may have done so just before the bound.
    one_step = 0.0 if run.is_unfinished else spent / max(len(seconds) - 1, 1)
    return _short(run, spent + one_step < hours * SECONDS_PER_HOUR, f"{spent / SECONDS_PER_HOUR:.2f} h")


def _short(run: Run, is_short: bool, reached: str) -> str:
    """How far the run came where it did not come to the bound; an unfinished run has no number then."""
    if not is_short:
        return ""
    _refuse_unfinished(run, f"at {reached}")
    return reached


def _refuse_unfinished(run: Run, where: str) -> None:
    if run.is_unfinished:
        raise NotThereError(f"{run.state} {where}")


def _at_zero(curve: Mapping[int, Any], reason: str) -> float:
    if 0 not in curve:
        raise NotThereError(reason)
    return curve[0]
