# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Samples without a verdict: which they are, how they are counted, and when there are too many."""

import math

import pytest

from verl_sdpo.rewards.outcome import NO_VERDICT_FIELDS, complete_outcome
from verl_sdpo.watch.verdicts import KINDS, WINDOW, Judged, VerdictLimits, VerdictWatch, judged, verdict_metrics


def samples(num, cases=0, kind="sandbox_error", group_size=1, reason=""):
    """`num` samples in groups; the first `cases` of them have no verdict."""
    return [
        Judged(f"q{index // group_size}", (kind,), reason) if index < cases else Judged(f"q{index // group_size}")
        for index in range(num)
    ]


def watch_of(*batches, **limits):
    watch = VerdictWatch(VerdictLimits(**limits))
    for batch in batches:
        watch.add(batch)
    return watch


def test_the_fields_are_those_that_rewards_return():
    assert KINDS == NO_VERDICT_FIELDS


@pytest.mark.parametrize("kind", KINDS)
def test_an_outcome_of_a_reward_is_read(kind):
    outcome = complete_outcome({"score": 0, kind: 1, "feedback": "it died"}, None, "mine")
    assert judged("q", outcome) == Judged("q", (kind,), "it died")
    assert judged("q", complete_outcome({"score": 0, "feedback": "Wrong."}, None, "mine")) == Judged("q")


def test_a_reward_without_these_fields_always_judges():
    for info in (None, {}, {"acc": 1.0}, {"sandbox_error": None}, {"sandbox_error": math.nan}, {"bad_test": 0.0}):
        assert judged("q", info).kinds == ()


def test_fractions_are_of_samples():
    mixed = [*samples(6, 2), Judged("r", ("bad_test",)), Judged("s", KINDS)]
    assert verdict_metrics(mixed) == {
        "reward/sandbox_error_fraction": 3 / 8,
        "reward/bad_test_fraction": 2 / 8,
        "reward/no_verdict_batch": 0.0,
    }
    assert set(verdict_metrics([]).values()) == {0.0}


@pytest.mark.parametrize("size", [1, 7, 16, 200, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_one_case_never_ends_a_run_with_the_limits_as_they_are(size, kind):
    watch = watch_of(samples(size, 1, kind))
    assert watch.fault() is None
    for _ in range(30):
        watch.add(samples(size))
        assert watch.fault() is None


@pytest.mark.parametrize("limit", [0.01, 0.07, 0.29, 0.5])
def test_as_many_cases_as_the_limit_says_are_put_up_with_and_one_more_is_not(limit):
    allowed = round(limit * WINDOW)
    assert watch_of(samples(WINDOW, allowed), sandbox_error=limit).fault() is None
    assert watch_of(samples(WINDOW, allowed + 1), sandbox_error=limit).fault() is not None


def test_a_limit_of_zero_is_passed_by_the_first_case_and_null_by_none():
    assert watch_of(samples(4, 1), sandbox_error=0.0).fault() is not None
    assert watch_of(samples(4), sandbox_error=0.0).fault() is None
    assert watch_of(samples(500, 500), sandbox_error=None).fault() is None


def test_a_broken_sandbox_need_not_wait_for_the_window_to_be_full():
    # Three of 200 are too many whatever the other 197 are.
    assert watch_of(samples(2, 2)).fault() is None
    assert watch_of(samples(3, 3)).fault() is not None


def test_what_is_long_past_is_forgotten():
    watch = watch_of(samples(100, 2), samples(100), samples(100, 1))
    assert watch.fault() is None
    watch = watch_of(samples(100), samples(100, 2), samples(100, 1))
    assert watch.fault() is not None


def test_a_batch_beyond_the_window_is_looked_at_as_a_whole():
    # Whichever 200 of them come first: 1 % of 2000 are 20.
    assert watch_of(samples(2000, 20)).fault() is None
    assert watch_of(samples(2000, 21)).fault() is not None


def test_a_broken_test_is_one_case_however_many_samples_its_question_has():
    rows = samples(800, 16, "bad_test", group_size=8)
    assert watch_of(rows).fault() is None
    assert watch_of(samples(800, 17, "bad_test", group_size=8)).fault() is not None
    # A question of which one sample shows the fault has it.
    assert watch_of([Judged(f"q{index}", ("bad_test",)) for index in range(3)] + samples(30)).fault() is not None


def test_the_fault_has_counts_option_reasons_and_remedy():
    watch = watch_of(samples(60, 1, reason="old"), samples(60, 4, reason="no memory left"), samples(40))
    text = watch.fault()
    assert text.startswith("5 of the last 160 samples have no verdict (sandbox_error)")
    assert "trainer.max_sandbox_error_fraction=0.01 of 200" in text
    assert "'no memory left'" in text
    assert "'old'" not in text
    assert "python -m verl_sdpo.sandbox doctor" in text
    assert "\n" not in text
    text = watch_of(samples(60, 60, "bad_test", group_size=2)).fault()
    assert text.startswith("30 of the last 30 questions have no verdict (bad_test)")
    assert "trainer.max_bad_test_fraction=0.01" in text
    assert "the reward gave none" in text


@pytest.mark.parametrize("value", [-0.1, 1.0, 5, True, "0.1", math.nan, math.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_that_is_none_is_refused(kind, value):
    with pytest.raises(ValueError, match=f"max_{kind}_fraction=") as refused:
        VerdictLimits(**{kind: value})
    assert "null for any" in str(refused.value)


def test_the_fault_ends_with_the_first_traceback_and_the_last_reasons_are_lines():
    tracebacks = [f"the reward raised Error {number}\nTraceback\n  line {number}" for number in range(5)]
    watch = watch_of(*[samples(4, 2, reason=reason) for reason in tracebacks])
    text = watch.fault()
    assert "Last reasons: 'the reward raised Error 3'; 'the reward raised Error 4'. " in text
    assert text.endswith(f". The first reason in full:\n{tracebacks[0]}")
    assert watch.first_reasons() == f"The first reason for sandbox_error: {tracebacks[0]}"
    assert "in full" not in watch_of(samples(4, 3, reason="it died")).fault()


def test_a_batch_is_without_a_verdict_where_every_sample_is():
    both = [Judged("a", ("sandbox_error",)), Judged("b", ("bad_test",))]
    assert verdict_metrics(both)["reward/no_verdict_batch"] == 1.0
    assert verdict_metrics([*both, Judged("c")])["reward/no_verdict_batch"] == 0.0
    assert verdict_metrics([])["reward/no_verdict_batch"] == 0.0
