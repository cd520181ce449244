# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Verdicts as training has them, many at a time; a response without one is never a zero."""

import json
import math
import threading
import time

import numpy
import pytest

from verl_sdpo.evaluate.fault import EvaluateError
from verl_sdpo.evaluate.judge import Scorer, Verdict, check_rows, judge, load_scorer
from verl_sdpo.evaluate.questions import Question
from verl_sdpo.rewards import compute_score

OURS = "pkg://verl_sdpo.rewards"


class Unreadable:
    def __str__(self):
        raise RuntimeError("no text")


def question(source="multiple_choice/e", truth="B", **about):
    return Question(0, "f.parquet", 3, source, [], truth, about)


def verdicts(function, texts, seconds=30.0, is_truncated=False, **options):
    scorer = Scorer("here", "function", function, options)
    return judge(scorer, [(question(), text, is_truncated) for text in texts], seconds)


def test_our_rewards_score_as_they_do_in_training_and_tell_the_vote():
    right, wrong, none = "<answer>B</answer>", "<answer>A</answer>", "hm"
    scorer = load_scorer(OURS, "compute_score", {})
    made = judge(scorer, [(question(), text, text == none) for text in (right, wrong, none)], 30.0)
    outcomes = [
        compute_score("multiple_choice/e", text, "B", {"truncated": text == none}) for text in (right, wrong, none)
    ]
    assert [(v.score, v.acc, v.feedback) for v in made] == [(o["score"], o["acc"], o["feedback"]) for o in outcomes]
    assert [v.answer for v in made] == ["B", "A", None]
    assert "cut off" in made[2].feedback.lower()


@pytest.mark.parametrize("name", ["compute_score", "compute_score_async"])
def test_options_reach_the_reward(name):
    scorer = load_scorer(OURS, name, {"reveal_answer": True, "answer_forms": ["letter"]})
    [right, wrong] = judge(scorer, [(question(), text, False) for text in ("B", "C")], 30.0)
    assert (right.acc, wrong.acc, wrong.answer) == (1.0, 0.0, "C")
    assert "B" in wrong.feedback


def test_a_function_of_somebody_elses_may_return_a_number_or_a_mapping():
    def plain(data_source, solution_str, ground_truth, extra_info):
        return 0.25

    def mapping(data_source, solution_str, ground_truth, extra_info):
        return {"score": 2, "acc": False, "pred": 7, "feedback": None, "other": [1]}

    assert verdicts(plain, ["x"]) == [Verdict(None, 0.25, 0.25, None, "")]
    assert verdicts(mapping, ["x"]) == [Verdict(None, 2.0, 0.0, "7", "")]


def test_an_accuracy_may_be_any_kind_of_number():
    given = [True, 1, numpy.float32(0.5), numpy.array([0.25]), None]
    made = verdicts(lambda solution_str, **_: {"score": 2.0, "acc": given[int(solution_str)]}, list("01234"))
    assert [(v.no_verdict, v.acc) for v in made] == [(None, acc) for acc in (1.0, 1.0, 0.5, 0.25, 2.0)]


def test_the_reward_sees_what_it_sees_in_training_and_a_copy_of_the_row():
    seen = []

    def function(data_source, solution_str, ground_truth, extra_info, depth=1):
        seen.append((data_source, solution_str, ground_truth, dict(extra_info), depth))
        extra_info["mine"] = 1
        return 0.0

    asked = question(split="test")
    judge(Scorer("", "", function, {"depth": 2}), [(asked, "x", True), (asked, "y", False)], 30.0)
    rest = {"split": "test", "num_turns": 2, "rollout_reward_scores": {}}
    expected = [("multiple_choice/e", "x", "B", {**rest, "truncated": True}, 2)]
    expected += [("multiple_choice/e", "y", "B", {**rest, "truncated": False}, 2)]
    assert sorted(seen, key=lambda call: call[1]) == expected
    assert asked.extra_info == {"split": "test"}


@pytest.mark.parametrize(
    ("returned", "no_verdict", "said"),
    [
        ({"score": 1.0, "sandbox_error": 1.0, "feedback": "killed"}, "sandbox_error", "killed"),
        ({"score": 0.0, "bad_test": 1.0}, "bad_test", ""),
        (math.nan, "error", "not finite"),
        ({"score": "high"}, "error", "no number"),
        (None, "error", "no score"),
        ({"acc": 1.0}, "error", "no score"),
        ({"score": 1.0, "acc": "yes"}, "error", "the reward's acc is no finite number: 'yes'"),
        ({"score": 1.0, "acc": math.nan}, "error", "the reward's acc is no finite number: 'nan'"),
        ({"score": 1.0, "acc": [1.0, 0.0]}, "error", "no finite number: '[1.0, 0.0]'"),
        ({"score": 1.0, "feedback": numpy.array(["a", "b"])}, "error", "cannot be read: ValueError"),
        ({"score": 1.0, "pred": Unreadable()}, "error", "cannot be read: RuntimeError: no text"),
        (KeyError("truth"), "error", "the reward raised KeyError: 'truth'"),
        (StopIteration("none left"), "error", "StopIteration"),
        (SystemExit(3), "error", "SystemExit: 3"),
    ],
)
def test_what_is_no_verdict_has_neither_score_nor_vote(returned, no_verdict, said):
    def function(**arguments):
        if isinstance(returned, BaseException):
            raise returned
        return returned

    [made] = verdicts(function, ["x"])
    assert (made.no_verdict, made.score, made.acc, made.answer) == (no_verdict, None, None, None)
    assert said in made.feedback


def test_a_reward_that_hangs_costs_its_time_and_no_more():
    released = threading.Event()

    def function(solution_str, **arguments):
        if solution_str == "hang":
            released.wait(60)
        return 1.0

    started = time.monotonic()
    made = verdicts(function, ["a", "hang", "b"], seconds=0.5)
    released.set()
    assert [v.no_verdict for v in made] == [None, "timeout", None]
    assert "0.5 s (--reward-timeout)" in made[1].feedback
    assert time.monotonic() - started < 30


def test_responses_are_judged_many_at_a_time_no_more_than_allowed_and_in_order():
    lock, now, most = threading.Lock(), 0, 0

    def function(solution_str, **arguments):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return float(solution_str)

    made = judge(Scorer("", "", function), [(question(), str(i), False) for i in range(20)], 30.0, workers=4)
    assert [v.score for v in made] == [float(i) for i in range(20)]
    # Waiting for a place is no time that a reward took: twenty of them take longer together than one may.
    assert [v.no_verdict for v in judge(Scorer("", "", function), [(question(), "1", False)] * 20, 0.2, 4)] == [
        None
    ] * 20
    assert most == 4


def test_a_reward_that_waits_by_itself_is_awaited():
    async def function(solution_str, **arguments):
        return {"score": float(solution_str)}

    assert [v.score for v in verdicts(function, ["1", "0"])] == [1.0, 0.0]


def test_feedback_that_no_file_could_hold_is_cleaned():
    [made] = verdicts(lambda **arguments: {"score": 0.0, "feedback": "a\ud800b", "pred": "\ud800"}, ["x"])
    assert made.feedback.encode() == b"a?b"
    assert made.answer == "?"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("/nowhere/reward.py", "compute_score", {}), "--reward='/nowhere/reward.py' cannot be loaded"),
        ((OURS, "score_it", {}), "--reward-name=score_it is no function of pkg://verl_sdpo.rewards: name one of"),
        ((OURS, "compute_score", {"revel": 1}), "--reward-kwargs: reward options ['revel'] belong to no reward"),
        ((OURS, "compute_score", {"reward_modules": ["/nowhere.py"]}), "--reward-kwargs: '/nowhere.py' cannot be"),
    ],
)
def test_a_function_that_is_not_there_is_refused(arguments, said):
    with pytest.raises(EvaluateError) as caught:
        load_scorer(*arguments)
    assert str(caught.value).startswith(said)


def test_rows_that_no_response_could_be_scored_by_are_refused():
    scorer = load_scorer(OURS, "compute_score", {})
    for asked, said in (
        (question(truth="Z"), "--data=f.parquet: row 3: data source 'multiple_choice/e': ground truth 'Z'"),
        (question(source="nobody"), "--data=f.parquet: row 3: data_source 'nobody' has no reward"),
    ):
        with pytest.raises(EvaluateError) as caught:
            check_rows(scorer, [question(), asked])
        assert str(caught.value).startswith(said)
    check_rows(scorer, [question()])
    # Nobody knows what another function can score.
    check_rows(Scorer("", "", lambda: 0), [question(truth="Z")])


def test_a_machine_that_cannot_run_programs_is_refused(monkeypatch):
    from verl_sdpo import rewards

    def refused(sources, options):
        assert (sources, options) == (["multiple_choice/e"], {"sandbox": {"num_slots": 1}})
        raise ValueError("no isolation\nhere")

    monkeypatch.setattr(rewards, "check_machine", refused)
    scorer = Scorer(OURS, "compute_score", compute_score, {"sandbox": {"num_slots": 1}})
    with pytest.raises(EvaluateError, match="cannot be scored on this machine: no isolation here"):
        check_rows(scorer, [question()])


def test_programs_are_run_in_the_sandbox_side_by_side():
    test = {"input": "1 2", "output": "3", "is_public": True}
    truth = {"version": 1, "kind": "stdin", "tests": [test], "function": None, "setup": "", "time_limit": 2}
    asked = question("code/e", json.dumps(truth | {"memory_limit": None, "checker": None}))
    scorer = load_scorer(OURS, "compute_score", {"sandbox": {"num_slots": 2}})
    check_rows(scorer, [asked])
    program = "```python\na, b = map(int, input().split())\nprint(a {} b)\n```"
    made = judge(
        scorer, [(asked, program.format(sign), False) for sign in "+-+*"] + [(asked, "no program", False)], 60.0
    )
    assert [v.no_verdict for v in made] == [None] * 5
    assert [v.acc for v in made] == [1.0, 0.0, 1.0, 0.0, 0.0]
    assert "Expected" in made[1].feedback
    # Programs compare no answers.
    assert scorer.answer_reader("code/e") is None
    assert {v.answer for v in made} == {None}
