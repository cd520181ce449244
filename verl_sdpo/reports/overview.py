# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What was found, for the console; and tables of all runs, the paper's or not, one row a group of seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from verl_sdpo.reports.curves import (
    NotThereError,
    accuracy_curve,
    accuracy_metric,
    generations_by_step,
    last_step,
    num_answers,
    response_lengths,
    seconds_by_step,
)
from verl_sdpo.reports.discoveries import discovery_of, mean_first_success, questions_of
from verl_sdpo.reports.evaluations import score_of
from verl_sdpo.reports.measures import SECONDS_PER_HOUR, Options
from verl_sdpo.reports.runs import Run
from verl_sdpo.reports.tables import over_seeds

COLUMNS = ("before", "best", "last", "mean", "steps", "generations", "hours", "response length")
_DIGITS = {"steps": 0, "generations": 0, "hours": 2, "questions": 0, "budget": 0}


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only, and their numbers: (mean, standard error, runs) by column."""

    label: tuple[str, str, str, str]
    runs: tuple[Run, ...]
    answers: tuple[int, ...]
    numbers: dict[str, tuple[float, float, int]]


def groups(runs: Sequence[Run], options: Options) -> list[Group]:
    """All training runs by experiment, task, model and method with variant; what no run of a group has is left out."""
    training = sorted((run for run in runs if run.results is None and (run.history or not _scores(run))), key=_key)
    return [_group(label, tuple(members), options) for label, members in groupby(training, _key)]


TEST_TIME_COLUMNS = ("questions", "solved", "budget", "first success", "discovery@budget")


def test_time_groups(runs: Sequence[Run]) -> list[Group]:
    """All test-time runs likewise.

    "questions": how many are over; "solved": how many of them; "first success": the mean generation, the budget where
    there was none.
    """
    found = []
    for label, members in groupby(sorted((run for run in runs if run.results), key=_key), _key):
        group = tuple(members)
        curves = [discovery_of(run) for run in group if questions_of(run)]
        numbers = {
            "questions": [len(questions_of(run)) for run in group],
            "solved": [_num_solved(run) for run in group],
            "budget": [run.results["budget"] for run in group],
            "first success": [mean_first_success(curve) for curve in curves],
            "discovery@budget": [100 * float(curve[-1]) for curve in curves],
        }
        made = {name: (*over_seeds(values), len(values)) for name, values in numbers.items() if values}
        found.append(Group(label, group, (), made))
    return found


def _num_solved(run: Run) -> int:
    return sum(result["first_success"] is not None for result in questions_of(run).values())


# Benchmarks of `score_of` by column, as the paper's Table 5 has them.
BENCHMARK_COLUMNS = {
    "LiveCodeBench": "livecodebench",
    "IFEval": "ifeval",
    "ArenaHard hard": "arena_hard_hard",
    "ArenaHard creative": "arena_hard_creative",
    "MMLU-Pro": "mmlu_pro",
}


def benchmark_groups(runs: Sequence[Run]) -> list[Group]:
    """All runs whose final model was evaluated, likewise; in percent."""
    found = []
    for label, members in groupby(sorted(runs, key=_key), _key):
        evaluated = [(run, scores) for run in members if (scores := _scores(run))]
        values = {column: [each[column] for _, each in evaluated if column in each] for column in BENCHMARK_COLUMNS}
        numbers = {column: (*over_seeds(each), len(each)) for column, each in values.items() if each}
        if numbers:
            found.append(Group(label, tuple(run for run, _ in evaluated), (), numbers))
    return found


def digits(column: str) -> int:
    return _DIGITS.get(column, 1)


def found_lines(runs: Sequence[Run], refused: Sequence[str]) -> list[str]:
    """A short table: how many runs of each state, by experiment, task and model; then what was refused or remarked."""
    rows = [("experiment", "task", "model", "runs", "finished", "running", "failed", "unknown", "no log")]
    for (experiment, task, model), members in groupby(
        runs, lambda run: (run.identity.experiment, run.identity.task, run.identity.model)
    ):
        found = list(members)
        states = [sum(run.state == state for run in found) for state in ("finished", "running", "failed", "unknown")]
        unlogged = sum(not run.history and run.results is None for run in found)
        rows.append((experiment, task, model, *map(str, (len(found), *states, unlogged))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines += [f"left out: {line}" for line in refused]
    return lines + [f"{run.identity}: {remark}" for run in runs for remark in run.remarks]


def _key(run: Run) -> tuple[str, str, str, str]:
    return run.identity.experiment, run.identity.task, run.identity.model, run.identity.label


def _group(label: tuple[str, str, str, str], runs: tuple[Run, ...], options: Options) -> Group:
    numbers = {}
    for column in COLUMNS:
        values = [value for run in runs if (value := _value(_OF_RUN[column], run, options)) is not None]
        if values:
            numbers[column] = (*over_seeds(values), len(values))
    answers = {_value(lambda run, o: num_answers(accuracy_metric(run, o.metric)), run, options) for run in runs}
    return Group(label, runs, tuple(sorted(answers - {None})), numbers)


def _scores(run: Run) -> dict[str, float]:
    """By column, of the benchmarks that this run's model was evaluated on."""
    scores = {}
    for column, benchmark in BENCHMARK_COLUMNS.items():
        with suppress(NotThereError):
            scores[column] = score_of(run.folder, benchmark).value
    return scores


def _value(function: Callable[[Run, Options], float], run: Run, options: Options) -> float | None:
    try:
        return function(run, options)
    except NotThereError:
        return None


def _trained(run: Run, options: Options) -> list[float]:
    values = [value for step, value in accuracy_curve(run, options.metric).items() if step > 0]
    if not values:
        raise NotThereError("not validated since training began")
    return values


def _before(run: Run, options: Options) -> float:
    curve = accuracy_curve(run, options.metric)
    if 0 not in curve:
        raise NotThereError("not validated before training")
    return curve[0]


def _response_length(run: Run, options: Options) -> float:
    return _mean(list(response_lengths(run).values()))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_OF_RUN: dict[str, Callable[[Run, Options], float]] = {
    "before": _before,
    "best": lambda run, options: max(_trained(run, options)),
    "last": lambda run, options: _trained(run, options)[-1],
    "mean": lambda run, options: _mean(_trained(run, options)),
    "steps": lambda run, options: last_step(run.history),
    "generations": lambda run, options: max(generations_by_step(run).values()),
    "hours": lambda run, options: max(seconds_by_step(run.history).values()) / SECONDS_PER_HOUR,
    "response length": _response_length,
}
