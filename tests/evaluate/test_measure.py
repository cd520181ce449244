# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A small table worked out by hand, and what is said where little or nothing is known."""

import pytest

from verl_sdpo.evaluate.attempt import Attempt
from verl_sdpo.evaluate.measure import Asked, measure

# Question, data source, tokens, truncated, why no verdict, acc, vote.
TABLE = [
    # a: two of four right; A and B have two votes each.
    (0, "a", 10, False, None, 1.0, "A"),
    (0, "a", 20, False, None, 1.0, "A"),
    (0, "a", 30, False, None, 0.0, "B"),
    (0, "a", 40, True, None, 0.0, "B"),
    # a: one of three right, the fourth has no verdict; B has the majority and is wrong.
    (1, "a", 10, False, None, 1.0, "A"),
    (1, "a", 10, False, None, 0.0, "B"),
    (1, "a", 10, False, None, 0.0, "B"),
    (1, "a", 10, False, "sandbox_error", None, None),
    # b: nothing has a verdict.
    (2, "b", 100, True, "sandbox_error", None, None),
    (2, "b", 100, True, "timeout", None, None),
    (2, "b", 100, True, "bad_test", None, None),
    (2, "b", 100, True, "bad_test", None, None),
]


def attempts(table=TABLE):
    return [
        Attempt(question, place % 4, "f", question, source, "", tokens, cut, missing, acc, acc, vote)
        for place, (question, source, tokens, cut, missing, acc, vote) in enumerate(table)
    ]


@pytest.fixture(scope="module")
def measured():
    return measure(attempts(), Asked(n=4, ks=(1, 2, 4), level=0.9, seed=0, voting=frozenset({"a"})))


def test_the_table_by_hand(measured):
    a = measured["a"]
    values = {name: a[name]["value"] for name in ("avg@4", "score", "pass@1", "pass@2", "pass@4", "maj@4")}
    assert values == pytest.approx(
        {
            "avg@4": (2 / 4 + 1 / 3) / 2,
            "score": (2 / 4 + 1 / 3) / 2,
            "pass@1": (2 / 4 + 1 / 3) / 2,
            # Of the six pairs of the first question one has no success; of the three of the second, one.
            "pass@2": (5 / 6 + 2 / 3) / 2,
            # The second question has three verdicts only.
            "pass@4": 1.0,
            # The first is a tie between right and wrong; the second's majority is wrong.
            "maj@4": (1 / 2 + 0) / 2,
        }
    )
    assert {name: a[name]["questions"] for name in values} == dict.fromkeys(values, 2) | {"pass@4": 1}
    # Two questions: a resample is either twice, or both.
    assert (a["avg@4"]["low"], a["avg@4"]["high"]) == pytest.approx((1 / 3, 2 / 4))
    assert a["response_length"] == {"mean": 17.5, "median": 10.0, "p95": pytest.approx(36.5), "max": 40}
    assert a["truncated_fraction"] == 1 / 8
    assert (a["questions"], a["responses"], a["questions_without_verdict"]) == (2, 8, 0)
    assert a["without_verdict"] == {"sandbox_error": 1}


def test_what_has_no_verdict_is_no_zero(measured):
    b = measured["b"]
    nothing = {"value": None, "low": None, "high": None, "questions": 0}
    assert [b[name] for name in ("avg@4", "score", "pass@1", "pass@4")] == [nothing] * 4
    assert b["without_verdict"] == {"bad_test": 2, "sandbox_error": 1, "timeout": 1}
    assert (b["questions"], b["questions_without_verdict"]) == (1, 1)
    # Lengths are known all the same.
    assert (b["response_length"]["mean"], b["truncated_fraction"]) == (100.0, 1.0)
    # Together with others it counts as a question that was asked, not as one that was failed.
    assert measured["all"]["avg@4"] == measured["a"]["avg@4"]
    assert (measured["all"]["questions"], measured["all"]["questions_without_verdict"]) == (3, 1)


def test_a_majority_is_told_only_where_answers_are_compared(measured):
    assert measured["b"]["maj@4"] is None
    # Of all questions together too: a mean over some of them would look like one over all.
    assert measured["all"]["maj@4"] is None
    assert list(measured) == ["a", "b", "all"]


def test_a_partial_score_is_in_the_average_and_is_no_success():
    made = measure(
        attempts([(0, "a", 1, False, None, 0.5, None), (0, "a", 1, False, None, 1.0, None)]),
        Asked(n=2, ks=(1, 2), level=0.9, seed=0),
    )
    assert (made["a"]["avg@2"]["value"], made["a"]["pass@1"]["value"], made["a"]["pass@2"]["value"]) == (0.75, 0.5, 1.0)


def test_a_wider_level_gives_a_wider_interval():
    table = [(question, "a", 1, False, None, float(question % 3 == 0), None) for question in range(40)]
    narrow, wide = (
        measure(attempts(table), Asked(n=1, ks=(1,), level=level, seed=0))["a"]["avg@1"] for level in (0.5, 0.95)
    )
    assert wide["low"] < narrow["low"] <= narrow["value"] <= narrow["high"] < wide["high"]
