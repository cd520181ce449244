# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Intervals against all resamples of a few values, which can be written down, and by how often they hold the truth."""

from itertools import product

import numpy as np
import pytest

from verl_sdpo.statistics.bootstrap import interval, standard_error


def test_the_interval_is_the_quantiles_over_all_resamples():
    values = [0.0, 1.0, 3.0, 7.0, 20.0]
    every = np.sort([np.mean(resample) for resample in product(values, repeat=5)])
    assert every.size == 3125
    for level in (0.5, 0.8, 0.9):
        # A resample drawn at random is one of these, each as likely. The neighbours are for the error of 20,000 draws.
        low, high = interval(values, level=level, resamples=20_000)
        tail = (1 - level) / 2
        assert np.quantile(every, tail - 0.01) <= low <= np.quantile(every, tail + 0.01)
        assert np.quantile(every, 1 - tail - 0.01) <= high <= np.quantile(every, 1 - tail + 0.01)


def test_any_statistic_of_a_vector():
    values = np.array([1.0, 2.0, 9.0])
    # The largest of three draws is below 9 with probability (2/3)^3 = 0.30, and 1 with probability 1/27 = 0.04.
    assert interval(values, statistic=np.max, level=0.9) == (2.0, 9.0)
    assert interval(values, statistic=lambda drawn: drawn.max() - drawn.min(), level=0.5) == (1.0, 8.0)


def test_nine_of_ten_intervals_hold_the_mean():
    generator = np.random.default_rng(3)
    held = 0
    for seed in range(300):
        low, high = interval(generator.normal(5.0, 2.0, 40), resamples=400, seed=seed)
        held += low <= 5.0 <= high
    # Of 300 with probability 0.9: 270, with a standard deviation of 5; percentile intervals are a little narrow.
    assert 250 <= held <= 285


def test_the_same_seed_gives_the_same_interval_and_no_other_randomness_is_touched():
    values = np.random.default_rng(0).random(30)
    np.random.seed(11)
    before = np.random.get_state()[1].tolist()
    assert interval(values, resamples=200) == interval(values, resamples=200)
    assert interval(values, resamples=200) != interval(values, resamples=200, seed=1)
    assert np.random.get_state()[1].tolist() == before


@pytest.mark.parametrize("values", [[0.25], [0.25, 0.25, 0.25]])
def test_what_cannot_vary_has_no_width(values):
    assert interval(values) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"values": []}, "finite"),
        ({"values": [0.0, float("nan")]}, "nan"),
        ({"values": [[0.0, 1.0]]}, "vector"),
        ({"values": [0.0, 1.0], "level": 90}, "level=90"),
        ({"values": [0.0, 1.0], "resamples": 0}, "resamples=0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        interval(**options)


def test_the_standard_error_by_hand():
    # Deviations -2, 0, 2: variance 8 / 2 = 4, so 2 / sqrt(3).
    assert standard_error([1.0, 3.0, 5.0]) == pytest.approx(2 / 3**0.5)
    assert np.isnan(standard_error([1.0]))
    assert np.isnan(standard_error([]))
