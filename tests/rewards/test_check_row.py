# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Rows that cannot be scored are refused without a response, by the same code that refuses them with one."""

import pytest

from verl_sdpo.rewards import check_row, compute_score, register_reward, score

FOUR = {"details": '{"options": "ABCD"}'}
CALLS = '[{"Action": "f", "Action_Input": "{}"}]'
SOUND = [
    ("sciknoweval/chemistry", "B", None),
    ("multiple_choice", " d ", FOUR),
    ("gsm8k", "1,234", {}),
    ("math/dapo", "\\frac{1}{2}", None),
    ("tooluse", CALLS, None),
    ("quickstart/passphrase", "red fox", None),
    ("none", None, None),
    ("none", "", None),
]
BROKEN = [
    ("sciknoweval", None, None, "one of the letters"),
    ("gpqa/diamond", "E", FOUR, "A, B, C, D"),
    ("mmlu_pro", "AB", None, "one of the letters"),
    ("multiple_choice", "A", {"details": "{"}, "not JSON text"),
    ("multiple_choice", "A", {"details": '{"options": "XY"}'}, "2 to 10 letters"),
    ("gsm8k", "", None, "must be a number or LaTeX"),
    ("gsm8k", 12, None, "must be a number or LaTeX"),
    ("math", "x" * 10**6, None, "longer than"),
    ("tooluse", "[]", None, "at least one call"),
    ("tooluse", '[{"Action": "f"}]', None, "must have Action and Action_Input"),
    ("quickstart", " ", None, "holds no word"),
    ("quickstart", None, None, "holds no word"),
]


@pytest.fixture
def registry(monkeypatch):
    """A copy that a test may add to."""
    monkeypatch.setattr(score, "_REWARDS", dict(score._REWARDS))


@pytest.mark.parametrize(("source", "truth", "extra_info"), SOUND)
def test_a_sound_row_passes(source, truth, extra_info):
    assert check_row(source, truth, extra_info) is None


@pytest.mark.parametrize(("source", "truth", "extra_info", "fault"), BROKEN)
def test_a_broken_row_is_refused_with_the_words_in_which_scoring_refuses_it(source, truth, extra_info, fault):
    with pytest.raises(ValueError, match=fault) as checked:
        check_row(source, truth, extra_info)
    with pytest.raises(ValueError, match=fault) as scored:
        compute_score(source, "B", truth, extra_info)
    assert str(checked.value) == str(scored.value)
    assert str(checked.value).startswith(f"data source {source!r}: ")


def test_every_reward_of_the_package_that_reads_a_ground_truth_checks_it():
    assert {name for name, reward in score._REWARDS.items() if reward.check is None} == {"none"}


@pytest.mark.parametrize("source", ["maths", "", None, 3])
def test_an_unknown_data_source_is_an_error_that_lists_the_known_ones(source):
    with pytest.raises(ValueError, match="multiple_choice.*sciknoweval"):
        check_row(source, "B")


def test_a_reward_of_ones_own_may_bring_a_check(registry):
    seen = []

    def is_even(ground_truth, extra_info):
        seen.append(extra_info)
        if int(ground_truth) % 2:
            raise ValueError(f"{ground_truth} is odd")

    @register_reward("even", check=is_even)
    def even(solution_str, ground_truth, extra_info=None):
        return {"score": 0.0}

    check_row("even/numbers", "4", {"index": 1})
    assert seen == [{"index": 1}]
    with pytest.raises(ValueError, match="data source 'even': 3 is odd"):
        check_row("even", "3")
    with pytest.raises(ValueError, match="data source 'even': its check failed with TypeError"):
        check_row("even", None)


def test_a_reward_without_a_check_takes_any_row(registry):
    @register_reward("mine")
    def mine(solution_str, ground_truth, extra_info=None):
        return {"score": 0.0}

    check_row("mine", object())
