# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""discovery@k against its definition, one number at a time, and against pass@k where attempts are independent."""

import itertools
import random

import numpy as np
import pytest

from verl_sdpo.statistics.attempts import pass_at_k
from verl_sdpo.statistics.discovery import discovery_curve


def by_definition(first_successes, k):
    """Definition 5.1: of each question the share of seeds with a first success at k or before; the mean of these."""
    shares = [
        sum(1 for first in firsts if first is not None and first <= k) / len(firsts)
        for firsts in first_successes.values()
    ]
    return sum(shares) / len(shares)


@pytest.mark.parametrize("seed", range(20))
def test_the_curve_is_the_definition_at_every_k(seed):
    rng = random.Random(seed)
    budget = rng.randint(1, 40)
    first_successes = {
        str(question): [rng.choice([None, rng.randint(1, budget + 5)]) for _ in range(rng.randint(1, 6))]
        for question in range(rng.randint(1, 7))
    }
    curve = discovery_curve(first_successes, budget)
    assert curve.shape == (budget,)
    assert curve.dtype == np.float64
    expected = [by_definition(first_successes, k) for k in range(1, budget + 1)]
    np.testing.assert_allclose(curve, expected, rtol=1e-12, atol=0)


def test_a_small_one_by_hand():
    curve = discovery_curve({"easy": [1, 2], "hard": [None, 4]}, budget=4)
    assert curve.tolist() == [0.25, 0.5, 0.5, 0.75]


@pytest.mark.parametrize(("num_attempts", "num_successes"), [(1, 0), (1, 1), (5, 2), (6, 1), (7, 0), (7, 7)])
def test_over_all_orders_of_the_same_attempts_it_is_pass_at_k(num_attempts, num_successes):
    # Every order of n attempts with c successes is a seed: independent attempts have each as likely.
    places = itertools.combinations(range(1, num_attempts + 1), num_successes)
    firsts = [min(place, default=None) for place in places]
    curve = discovery_curve({"question": firsts}, num_attempts)
    expected = [pass_at_k(num_attempts, num_successes, k) for k in range(1, num_attempts + 1)]
    np.testing.assert_allclose(curve, expected, rtol=1e-12)


def test_in_expectation_over_independent_attempts_it_is_the_probability_of_a_success():
    rate, budget = 0.05, 60
    rng = np.random.default_rng(0)
    firsts = [int(first) if first <= budget else None for first in rng.geometric(rate, 20_000)]
    expected = 1 - (1 - rate) ** np.arange(1, budget + 1)
    # Five standard errors of a share of 20,000.
    np.testing.assert_allclose(discovery_curve({"q": firsts}, budget), expected, atol=5 * 0.5 / np.sqrt(20_000))


@pytest.mark.parametrize(
    ("first_successes", "budget"), [({}, 3), ({"q": []}, 3), ({"q": [1]}, 0), ({"q": [0]}, 3), ({"q": [-1]}, 3)]
)
def test_what_makes_no_curve_is_refused(first_successes, budget):
    with pytest.raises(ValueError, match="must be"):
        discovery_curve(first_successes, budget)
