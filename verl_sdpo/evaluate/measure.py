# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From attempts to numbers. Each number is of a question first, then the mean over questions with its interval."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verl_sdpo.evaluate.attempt import Attempt
from verl_sdpo.statistics.attempts import avg_at_n, maj_at_n, pass_at_k
from verl_sdpo.statistics.bootstrap import interval

ALL = "all"
# An attempt with this accuracy, or more, has solved its question.
SUCCESS = 1.0


@dataclass(frozen=True)
class Asked:
    """What is to be measured."""

    n: int
    ks: Sequence[int]
    level: float
    seed: int
    # Data sources whose rewards compare answers.
    voting: frozenset[str] = frozenset()


def measure(attempts: Sequence[Attempt], asked: Asked) -> dict[str, dict[str, Any]]:
    """Numbers by data source, in alphabetical order, then those of all questions together under `ALL`."""
    by_source: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_source[attempt.data_source].append(attempt)
    measured = {source: _of_one(by_source[source], asked) for source in sorted(by_source)}
    return {**measured, ALL: _of_one(attempts, asked)}


def _of_one(attempts: Sequence[Attempt], asked: Asked) -> dict[str, Any]:
    by_question: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        if attempt.no_verdict is None:
            by_question[attempt.question].append(attempt)
    groups = list(by_question.values())
    votes = {attempt.data_source for attempt in attempts} <= asked.voting

    def estimate(value: Callable[[list[Attempt]], float], of: Iterable[list[Attempt]] = groups) -> dict[str, Any]:
        return _estimate([value(group) for group in of], asked)

    lengths = [attempt.num_tokens for attempt in attempts]
    return {
        "questions": len({attempt.question for attempt in attempts}),
        "questions_without_verdict": len({attempt.question for attempt in attempts}) - len(groups),
        "responses": len(attempts),
        "without_verdict": dict(sorted(Counter(a.no_verdict for a in attempts if a.no_verdict is not None).items())),
        f"avg@{asked.n}": estimate(lambda group: avg_at_n([attempt.acc for attempt in group])),
        "score": estimate(lambda group: avg_at_n([attempt.score for attempt in group])),
        **{
            # Of a question with fewer verdicts than k nothing can be said.
            f"pass@{k}": estimate(lambda group, k=k: _passed(group, k), [group for group in groups if len(group) >= k])
            for k in asked.ks
        },
        f"maj@{asked.n}": estimate(lambda group: maj_at_n([a.answer for a in group], [a.acc for a in group]))
        if votes
        else None,
        "response_length": {
            "mean": float(np.mean(lengths)),
            "median": float(np.median(lengths)),
            "p95": float(np.percentile(lengths, 95)),
            "max": max(lengths),
        },
        "truncated_fraction": float(np.mean([attempt.truncated for attempt in attempts])),
    }


def _passed(group: Sequence[Attempt], k: int) -> float:
    return pass_at_k(len(group), sum(attempt.acc >= SUCCESS for attempt in group), k)


def _estimate(values: Sequence[float], asked: Asked) -> dict[str, Any]:
    """The mean over questions, its interval, and how many questions it is of; without any, nothing is known."""
    if not values:
        return {"value": None, "low": None, "high": None, "questions": 0}
    low, high = interval(np.array(values), level=asked.level, seed=asked.seed)
    return {"value": float(np.mean(values)), "low": low, "high": high, "questions": len(values)}
