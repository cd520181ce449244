# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One line of the table of goals, and how much is run for it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

GIB = 2**30
MIB = 2**20


class Row(NamedTuple):
    """One goal, and what was reached; ``figures`` has the numbers behind ``reached``, for the JSON file."""

    name: str
    what: str
    goal: str
    reached: str
    is_met: bool | None  # None where it could not be measured
    figures: dict[str, Any]

    def line(self) -> str:
        met = {True: "yes", False: "NO", None: "not measured"}[self.is_met]
        return f"| {self.name} | {self.what} | {self.goal} | {self.reached} | {met} |"


class Scale(NamedTuple):
    """How much is run. Goals are for FULL; QUICK only shows that all of it works."""

    every: int  # of so many programs of a corpus one is run
    test_pairs: int
    parent_bytes: int  # resident size in which both designs run
    small_bytes: int
    large_bytes: int
    rounds: int
    published_problems: int  # a round
    own_problems: int  # a round
    repeats: int  # of the corpus, oversubscribed
    runs: int  # of the mixed programs, of which nothing must be left
    feedback_repeats: int
    overhead_problems: int
    tests: int  # of a problem


FULL = Scale(1, 300, int(1.2e9), int(28e6), int(4e9), 7, 3, 20, 10, 10_000, 10, 9, 20)
QUICK = Scale(40, 10, 128 * MIB, 28 * MIB, 256 * MIB, 1, 1, 1, 2, 60, 2, 1, 5)


def of_total(faults: Sequence[str], total: int, most: int = 6) -> str:
    """``2 of 30 (a, b)``."""
    named = ", ".join(faults[:most]) + (", ..." if len(faults) > most else "")
    return f"{len(faults)} of {total:,}" + (f" ({named})" if faults else "")


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def median_ratio(upper: Sequence[float], lower: Sequence[float]) -> float:
    """Median over pairs that were measured one after the other, so that a change of the machine hits both."""
    return statistics.median(one / other for one, other in zip(upper, lower, strict=True))
