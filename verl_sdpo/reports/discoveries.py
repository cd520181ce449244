# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""discovery@k of a test-time run, from its results.json (paper, section 5, Definition 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verl_sdpo.reports.curves import NotThereError
from verl_sdpo.reports.paper import Part
from verl_sdpo.reports.runs import Run
from verl_sdpo.statistics.discovery import discovery_curve

# Its attempts are independent of each other.
INDEPENDENT = "best_of_k"


def questions_of(run: Run) -> Mapping[str, Mapping[str, Any]]:
    """By id the questions that are over.

    Raises:
        NotThereError: the run has no results.json.
    """
    if run.results is None:
        raise NotThereError("no results.json")
    return run.results["questions"]


def discovery_of(run: Run, questions: Iterable[str] | None = None) -> np.ndarray:
    """(budget,): entry k - 1 is the mean over questions of the probability of a success within k generations.

    It is the step at the first success, except where independent attempts went on after it: there all successes count,
    in the unbiased estimate of pass@k, which is the same in the mean and varies less (Eq. 4).

    Args:
        questions: ids; None: all of the run's.

    Raises:
        NotThereError: no results, or no question.
    """
    found = questions_of(run)
    asked = sorted(found if questions is None else questions)
    if not asked:
        raise NotThereError("no question is over")
    budget = int(run.results["budget"])
    return np.mean([_of_question(run.identity.method, found[each], budget) for each in asked], axis=0)


def with_parts(runs: Sequence[Run], parts: Sequence[Part]) -> list[Run]:
    """The runs, and for each on a task that holds all questions of a part that part as a run of its own.

    A run that was made on the part alone stands, and nothing is cut out of another for it.
    """
    found = {run.identity: run for run in runs}
    for run in runs:
        for part in parts:
            identity = replace(run.identity, task=part.task)
            if run.results is None or run.identity.task != part.of or identity in found:
                continue
            if part.questions <= run.results["questions"].keys():
                questions = {each: run.results["questions"][each] for each in sorted(part.questions)}
                found[identity] = replace(run, identity=identity, results=run.results | {"questions": questions})
    return [found[identity] for identity in sorted(found)]


def mean_first_success(curve: np.ndarray) -> float:
    """The mean generation of the first success, by a curve of discovery@k, k = 1 to its length, which is the bound.

    A question that is not solved within the bound counts with the bound.
    """
    return float(1 + (1 - curve[:-1]).sum())


def pass_at_all_k(num_attempts: int, num_successes: int, budget: int) -> np.ndarray:
    """(budget,): `verl_sdpo.statistics.attempts.pass_at_k` for k = 1 to budget, at most the number of attempts."""
    drawn = np.arange(budget)
    failures = np.maximum(num_attempts - num_successes - drawn, 0) / (num_attempts - drawn)
    return 1 - np.cumprod(failures)


def _of_question(method: str, result: Mapping[str, Any], budget: int) -> np.ndarray:
    first, generations = result["first_success"], result["generations"]
    went_on = first is not None and "successes" in result and generations >= budget
    if method == INDEPENDENT and went_on:
        return pass_at_all_k(generations, result["successes"], budget)
    return discovery_curve({"": [first]}, budget)
