# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""discovery@k: the probability that a method has found a first solution after k generations (paper, Definition 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def discovery_curve(first_successes: Mapping[str, Sequence[int | None]], budget: int) -> np.ndarray:
    """The share of runs in which the first success came at generation k or before, for every k up to the budget.

    For independent samples this estimates pass@k (Eq. 4); for a method that learns or reads feedback it is what stands
    in its place.

    Args:
        first_successes: by question, for each seed the number of the generation, from 1, that succeeded first; None
            where none did within the budget. A success beyond the budget counts as none.
        budget: generations that each run had.

    Returns:
        (budget,) float64, not decreasing; entry k - 1 is discovery@k: the mean over questions of the mean over seeds,
        so that each question counts as much, however many seeds it has.

    Raises:
        ValueError: no question, a question without a seed, or a number below 1.
    """
    if budget < 1 or not first_successes:
        raise ValueError(f"budget={budget}, {len(first_successes)} questions: both must be at least 1")
    curve = np.zeros(budget)
    for question, firsts in first_successes.items():
        if not len(firsts) or any(first is not None and first < 1 for first in firsts):
            raise ValueError(f"question {question!r}: first successes {list(firsts)!r} must be numbers from 1, or None")
        found = np.array([first for first in firsts if first is not None and first <= budget], dtype=np.int64)
        curve += np.bincount(found - 1, minlength=budget).cumsum() / len(firsts)
    return curve / len(first_successes)
