# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a response votes for, where several are asked: the answer that the reward compares, right or wrong."""

import pytest

from verl_sdpo.rewards import answer_reader, compute_score, register_reward, score

OPTIONS = {"details": '{"options": "ABCD"}'}
# Data source, response, extra_info, the answer in it.
CASES = [
    ("sciknoweval/chemistry", "I think B. <answer>C</answer>", OPTIONS, "C"),
    ("sciknoweval/chemistry", "<answer> (c). </answer>", OPTIONS, "C"),
    ("sciknoweval/chemistry", "<answer>J</answer>", OPTIONS, None),
    ("sciknoweval/chemistry", "It is C", OPTIONS, None),
    ("mmlu_pro/law", "<answer>J</answer>", None, "J"),
    ("gsm8k", "\\boxed{5} no, \\boxed{$12$}", None, "12"),
    ("math/math_500", "Answer: 7.", None, "7"),
    ("math/math_500", "\\boxed{}", None, None),
    ("math/math_500", "", None, None),
    ("quickstart/passphrase", " red \n fox", None, "red fox"),
    ("quickstart/passphrase", " \n", None, None),
]


@pytest.mark.parametrize(("source", "response", "extra_info", "answer"), CASES)
def test_the_answer_is_the_one_that_is_compared(source, response, extra_info, answer):
    assert answer_reader(source, {})(response, extra_info) == answer
    if answer is not None:
        # An answer is what the reward calls right where it is the ground truth.
        assert compute_score(source, response, answer, extra_info)["acc"] == 1.0
    else:
        truth = "A" if "sci" in source else "1"
        assert compute_score(source, response, truth, extra_info)["incorrect_format"] == 1.0


def test_the_rewards_own_options_decide_what_is_an_answer_and_others_are_left_out():
    assert answer_reader("gpqa", {"answer_forms": ["letter"], "reveal_answer": True})("B", None) == "B"
    assert answer_reader("gpqa", {"reveal_answer": True})("B", None) is None
    assert answer_reader("gsm8k", {"answer_forms": ("hashes",)})("#### 3", None) == "3"


@pytest.mark.parametrize("source", ["code/livecodebench_v6", "tooluse", "none"])
def test_where_no_answers_are_compared_there_is_nothing_to_vote_on(source):
    assert answer_reader(source, {}) is None


def test_an_unknown_data_source_is_an_error():
    with pytest.raises(ValueError, match="nobody's"):
        answer_reader("nobody's", {})


def test_a_reward_of_ones_own_may_say_what_its_answers_are(monkeypatch):
    monkeypatch.setattr(score, "_REWARDS", dict(score._REWARDS))

    @register_reward("mine", read_answer=lambda solution_str, extra_info: solution_str[-1:] or None)
    def function(solution_str, ground_truth, extra_info=None):
        return {"score": 0.0}

    read = answer_reader("mine/one", {"reveal_answer": True})
    assert (read("it is 4", {}), read("", {})) == ("4", None)
