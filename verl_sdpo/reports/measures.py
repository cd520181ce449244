# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One number of one run, as the paper's tables have them: accuracy in percent, length in tokens, entropy in nat.

A run that is still running, or failed, counts for a bound (hours, steps) that it has passed: nothing that follows can
change that number. One that ended earlier counts too, and is marked as short.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verl_sdpo.reports.curves import (
    NotThereError,
    accuracy_curve,
    accuracy_metric,
    last_step,
    num_answers,
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
    # By the name of a set: ids of its questions.
    questions: Mapping[str, frozenset[str]] = field(default_factory=dict)


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
    _refuse_unfinished(run, f"at step {last_step(run.history)}")
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
    lengths = run.history.get("response_length/mean", {})
    values = [value for step, value in lengths.items() if seconds.get(step, math.inf) <= hours * SECONDS_PER_HOUR]
    if not values:
        raise NotThereError("no response lengths")
    return Measured(sum(values) / len(values), _short_of_hours(run, hours, seconds))


def mean_first_success(run: Run, options: Options, questions: str) -> Measured:
    """Mean over questions of the generation that succeeded first; the budget for a question that was never solved."""
    first, budget = _first_successes(run, options, questions)
    return Measured(sum(budget if each is None else each for each in first) / len(first))


def discovery(run: Run, options: Options, questions: str, generations: int) -> Measured:
    """discovery@k in percent: questions solved within k generations (Definition 5.1)."""
    first, budget = _first_successes(run, options, questions)
    if budget < generations:
        raise NotThereError(f"budget of {budget} generations")
    return Measured(100 * sum(each is not None and each <= generations for each in first) / len(first))


def evaluated_or_best_by_step(run: Run, options: Options, step: int) -> Measured:
    """Accuracy on LiveCodeBench of the model that was evaluated, where it was, else the best validation to `step`."""
    try:
        return Measured(score_of(run.folder, "livecodebench"))
    except NotThereError:
        return best_by_step(run, options, step)


def external_score(run: Run, options: Options, benchmark: str) -> Measured:
    """A benchmark's score in percent, from the JSON files of evaluations in the run's folder."""
    return Measured(score_of(run.folder, benchmark))


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


def first_successes(run: Run, questions: frozenset[str] | None) -> tuple[list[int | None], int]:
    """Of a test-time run, in the order of its questions: the generation that succeeded first, and the budget.

    Args:
        questions: ids; None: all of the run's, once it has ended.

    Raises:
        NotThereError: no results, or not of all these questions.
    """
    if run.results is None:
        raise NotThereError("no results.json")
    # Only questions that are over are there.
    found = run.results["questions"]
    if questions is None:
        _refuse_unfinished(run, f"after {len(found)} questions")
    wanted = frozenset(found) if questions is None else questions
    if not wanted or wanted - found.keys():
        raise NotThereError(f"{len(wanted - found.keys())} of {len(wanted)} questions not there")
    return [found[question]["first_success"] for question in sorted(wanted)], int(run.results["budget"])


def _answers(run: Run, options: Options) -> int:
    return num_answers(accuracy_metric(run, options.metric))


def _first_successes(run: Run, options: Options, questions: str) -> tuple[list[int | None], int]:
    return first_successes(run, None if questions == "all" else options.questions[questions])


def _of_steps(run: Run, options: Options, step: int, reduce: Callable[[Sequence[float]], float]) -> Measured:
    within = _trained(accuracy_curve(run, options.metric), lambda each: each <= step)
    reached = last_step(run.history) or max(within)
    short = _short(run, reached < step, f"step {reached}")
    return Measured(reduce(list(within.values())), short, _answers(run, options))


def _mean_by_step(run: Run, metric: str, step: int) -> Measured:
    values = [value for each, value in run.history.get(metric, {}).items() if 0 < each <= step]
    if not values:
        raise NotThereError(f"{metric} is not logged")
    reached = last_step(run.history)
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
