# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers of one question against their definitions: all subsets, all ways to break a tie, tables by hand."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from verl_sdpo.statistics.attempts import avg_at_n, maj_at_n, pass_at_k


def test_avg_is_the_mean():
    assert avg_at_n([1.0, 0.0, 0.5, 0.0]) == 0.375
    assert avg_at_n(np.array([1.0, 0.0])) == 0.5
    # Not off by rounding, however many.
    assert avg_at_n([0.1] * 10) == 0.1


@pytest.mark.parametrize("num_attempts", range(1, 9))
def test_pass_at_k_is_the_share_of_all_subsets_that_hold_a_success(num_attempts):
    for num_successes in range(num_attempts + 1):
        attempts = [1] * num_successes + [0] * (num_attempts - num_successes)
        for k in range(1, num_attempts + 1):
            subsets = list(combinations(attempts, k))
            expected = Fraction(sum(any(subset) for subset in subsets), len(subsets))
            assert pass_at_k(num_attempts, num_successes, k) == pytest.approx(float(expected), abs=1e-15)


def test_pass_at_k_is_unbiased():
    # Over all outcomes of six attempts that succeed with probability 0.3, each with its probability.
    success, num_attempts, k = 0.3, 6, 4
    expected = 0.0
    for outcome in range(2**num_attempts):
        successes = outcome.bit_count()
        probability = success**successes * (1 - success) ** (num_attempts - successes)
        expected += probability * pass_at_k(num_attempts, successes, k)
    assert expected == pytest.approx(1 - (1 - success) ** k, abs=1e-12)


def test_pass_at_k_at_the_budget_of_the_paper():
    # One success in 2,750: with k of them it is among the chosen with probability k / 2,750.
    assert pass_at_k(2750, 1, 1000) == pytest.approx(1000 / 2750, abs=1e-12)
    assert pass_at_k(2750, 0, 2750) == 0.0
    assert pass_at_k(2750, 1, 2750) == 1.0


@pytest.mark.parametrize(
    ("answers", "scores", "expected"),
    [
        ("AAB", [1, 1, 0], 1.0),
        ("AAB", [0, 0, 1], 0.0),
        # Two answers tie: either, with even chances, in whatever order they came.
        ("AB", [1, 0], 0.5),
        ("BA", [0, 1], 0.5),
        ("AABBC", [1, 1, 0, 0, 1], 0.5),
        ("ABC", [0, 0, 1], 1 / 3),
        # Attempts without an answer are many, and have no vote.
        ([None, None, None, "B"], [0, 0, 0, 1], 1.0),
        ([None, None], [0, 0], 0.0),
        # One answer, scored by its form too: an attempt that gave it is drawn.
        ("AAAB", [1, 1, 0, 0], 2 / 3),
        ("A", [1], 1.0),
    ],
)
def test_the_majority_votes(answers, scores, expected):
    assert maj_at_n(list(answers), scores) == pytest.approx(expected, abs=1e-15)


def test_answers_that_look_false_do_vote():
    assert maj_at_n(["", "", "B"], [0, 0, 1]) == 0.0
    assert maj_at_n([0, 0, 1], [1, 1, 0]) == 1.0


def test_the_majority_differs_from_that_of_verl_where_verl_takes_the_first():
    from verl.trainer.ppo.metric_utils import calc_maj_val

    def verl_of(answers, scores):
        return calc_maj_val([{"pred": a, "val": s} for a, s in zip(answers, scores)], "pred", "val")

    assert verl_of("AAB", [1, 1, 0]) == maj_at_n("AAB", [1, 1, 0])
    assert (verl_of("AB", [1, 0]), verl_of("BA", [0, 1])) == (1, 0)
    assert verl_of([None, None, "B"], [0, 0, 1]) == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: avg_at_n([]), "left out"),
        (lambda: maj_at_n([], []), "left out"),
        (lambda: maj_at_n(["A"], [1, 0]), "shorter|longer"),
        (lambda: pass_at_k(4, 1, 5), "pass@5 of 4"),
        (lambda: pass_at_k(4, 1, 0), "from 1"),
        (lambda: pass_at_k(0, 0, 1), "pass@1 of 0"),
        (lambda: pass_at_k(4, 5, 1), "5 successes of 4"),
    ],
)
def test_what_has_no_answer_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
