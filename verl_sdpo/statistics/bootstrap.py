# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How sure a number is: percentile bootstrap intervals and standard errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def interval(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], float] = np.mean,
    level: float = 0.9,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a statistic (Efron and Tibshirani 1993, section 13.3).

    What is resampled are the values, so each must be a unit of its own: a question (its avg@n), not an attempt, since
    attempts at one question resemble each other.

    Args:
        values: (n,), finite, n > 0. With one value, or with equal ones, nothing varies: both ends are the statistic.
        statistic: of a vector (n,).
        level: the probability between the ends, above 0 and below 1.
        resamples: how many, each of n values with replacement; from a generator of its own, begun at `seed`.

    Raises:
        ValueError: no values, or not a vector, or not finite; a level or a number of resamples that makes no sense.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"an interval needs a vector of finite values, not {values.tolist()[:8]} {values.shape}")
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(f"level={level} must be between 0 and 1, resamples={resamples} at least 1")
    if (values == values[0]).all():
        return (float(statistic(values)),) * 2
    generator = np.random.default_rng(seed)
    # One at a time: ten thousand resamples of ten thousand questions would not fit in memory together.
    drawn = [statistic(values[generator.integers(0, values.size, values.size)]) for _ in range(resamples)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def standard_error(values: np.ndarray) -> float:
    """Of the mean: sample standard deviation (n - 1) over the root of n; nan with fewer than two values.

    Args:
        values: (n,), such as one number a seed.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(values.size))
