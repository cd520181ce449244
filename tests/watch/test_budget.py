# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Durations as people write them, and when a budget is used up."""

import json

import pytest

from verl_sdpo.watch.budget import Budget, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5h", 18000), ("90m", 5400), ("30s", 30), ("1h30m", 5400), ("1h1m1s", 3661), ("1.5h", 5400), ("0h10s", 10)],
)
def test_a_duration_is_read_as_written(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "30m1h", "5 h", "-5h", "0h", "5d", "5H", 5, 5.0, True])
def test_what_is_no_duration_is_refused_with_key_value_and_remedy(text):
    with pytest.raises(ValueError, match='is no duration: write "5h"') as caught:
        parse_duration(text)
    assert str(caught.value).startswith(f"max_time={text!r} ")


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "many"])
def test_what_is_no_count_is_refused_with_key_value_and_remedy(count):
    with pytest.raises(ValueError, match="at least 1") as caught:
        Budget.parse(None, count)
    assert str(caught.value).startswith(f"max_generations={count!r} ")


def test_without_bounds_nothing_is_ever_exhausted():
    budget = Budget.parse(None, None)
    budget.spend(1e9, 10**9)
    assert not budget.is_exhausted()
    assert not budget.is_exhausted_after_next_step()


def test_time_is_summed_and_the_step_that_uses_it_up_is_foreseen():
    budget = Budget.parse("10s", None)
    assert not budget.is_exhausted_after_next_step()
    foreseen = []
    for _ in range(4):
        budget.spend(2.5, 8)
        foreseen.append((budget.is_exhausted_after_next_step(), budget.is_exhausted()))
    assert foreseen == [(False, False), (False, False), (True, False), (True, True)]


def test_a_first_step_that_makes_all_generations_is_foreseen():
    assert Budget.parse(None, 128, step_generations=128).is_exhausted_after_next_step()
    assert not Budget.parse(None, 129, step_generations=128).is_exhausted_after_next_step()


def test_either_bound_ends_the_run():
    budget = Budget.parse("1h", 100)
    budget.spend(1.0, 100)
    assert budget.is_exhausted()


def test_what_was_spent_survives_a_resume_and_the_bounds_are_the_new_runs():
    budget = Budget.parse("10s", 100)
    budget.spend(9.0, 90)
    resumed = Budget.parse("1h", None)
    resumed.load_state_dict(json.loads(json.dumps(budget.state_dict())))
    assert (resumed.seconds, resumed.generations, resumed.step_seconds) == (9.0, 90, 9.0)
    assert (resumed.max_seconds, resumed.max_generations) == (3600, None)


def test_it_tells_what_was_spent():
    budget = Budget()
    budget.spend(5400, 64)
    assert str(budget) == "1.50 h of training and 64 generations"
