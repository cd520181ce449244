# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A question's attempts so far, and what follows from them: whether it is over, and which attempts come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Turn:
    """One attempt and what was said about it."""

    # From 1 within the question, without a gap.
    attempt: int
    response: str
    score: float
    success: bool
    feedback: str
    # False: the environment failed, not the model. Such an attempt is no generation to any statistic.
    judged: bool = True


@dataclass(frozen=True)
class Rules:
    """What a question may cost.

    Args:
        budget: judged attempts at a question.
        per_step: attempts made at once.
        stop_at_first_success: whether the first success ends it.
    """

    budget: int
    per_step: int
    stop_at_first_success: bool = True


@dataclass
class Question:
    """The attempts at one question, in order."""

    name: str
    rules: Rules
    turns: list[Turn] = field(default_factory=list)

    @property
    def generations(self) -> int:
        """Judged attempts."""
        return sum(turn.judged for turn in self.turns)

    @property
    def num_successes(self) -> int:
        return sum(turn.success for turn in self.turns)

    @property
    def first_success(self) -> int | None:
        """How many judged attempts there were up to the first success; None where there is none."""
        count = 0
        for turn in self.turns:
            count += turn.judged
            if turn.success:
                return count
        return None

    @property
    def is_over(self) -> bool:
        """Solved, or nothing left to spend. As many failures of the environment as the budget end it too."""
        if self.rules.stop_at_first_success and self.num_successes > 0:
            return True
        num_unjudged = len(self.turns) - self.generations
        return self.generations >= self.rules.budget or num_unjudged >= self.rules.budget

    def next_attempts(self) -> range:
        """The numbers of the next attempts; empty where it is over."""
        if self.is_over:
            return range(0)
        first = len(self.turns) + 1
        return range(first, first + min(self.rules.per_step, self.rules.budget - self.generations))

    def add(self, turns: Sequence[Turn]) -> None:
        """Take in attempts that were made, in any order.

        Raises:
            ValueError: a number is missing, or there already.
        """
        ordered = sorted(turns, key=lambda turn: turn.attempt)
        start = len(self.turns) + 1
        if [turn.attempt for turn in ordered] != list(range(start, start + len(ordered))):
            numbers = [turn.attempt for turn in ordered]
            raise ValueError(f"question {self.name}: attempts {numbers} do not go on from {len(self.turns)}")
        self.turns += ordered

    def result(self) -> dict[str, Any]:
        """What `results.json` has about it."""
        return {
            "first_success": self.first_success,
            "generations": self.generations,
            "successes": self.num_successes,
            "unjudged": len(self.turns) - self.generations,
        }


class Questions:
    """All questions of a run, in their order.

    Args:
        names: as asked for.
        rules: the same for all.
        history: turns that are there already, by question.
        finished: questions of which results are written.
    """

    def __init__(
        self,
        names: Sequence[str],
        rules: Rules,
        history: Mapping[str, Sequence[Turn]],
        finished: Mapping[str, Any] = (),
    ) -> None:
        self._questions = {name: Question(name, rules, list(history.get(name, ()))) for name in names}
        self._waiting = [name for name in names if name not in finished]

    def __getitem__(self, name: str) -> Question:
        return self._questions[name]

    def current(self, at_a_time: int = 1) -> list[Question]:
        """The first questions that are not closed."""
        return [self._questions[name] for name in self._waiting[:at_a_time]]

    def close(self, name: str) -> None:
        """This question is over and written down."""
        self._waiting.remove(name)

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)


def num_to_keep(
    turns: Mapping[str, Sequence[Turn]],
    rules: Rules,
    finished: Mapping[str, Any],
    learned: Mapping[str, int] | None,
) -> dict[str, int]:
    """By question how many of its turns a run that goes on can keep.

    Args:
        turns: what the files have, by question.
        rules: of the run.
        finished: questions of which results are written.
        learned: how many attempts at a question the run's weights know of, 0 where it is not named. Later ones were
            made by weights that are gone, and are kept only where they ended the question. None: a method without
            updates.
    """
    kept = {}
    for name, found in turns.items():
        is_over = name in finished or Question(name, rules, list(found)).is_over
        kept[name] = len(found) if is_over or learned is None else min(len(found), learned.get(name, 0))
    return kept
