# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The published code reward's scores and feedback against ours, on the published programs."""

import json
import re
from pathlib import Path

import pytest

from verl_sdpo.rewards import compute_score

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "reward_golden_code.json").read_text(encoding="utf-8"))
KINDS = {"stdin": "stdin", "functional": "function", "code": "asserts"}
# Where ours is another on purpose. The prompt names the function, so one of another name is refused; the published
# reward took any.
OTHER_NAME = "def other(xs, k)"
# Ours passes arguments by position, which Python words in its own way.
BY_POSITION = {
    "TypeError: scale() got an unexpected keyword argument 'k'": (
        "TypeError: scale() takes 1 positional argument but 2 were given"
    ),
    "\nxs = ": "\n",
    "\nk = ": "\n",
}
# Ours says which of several assertions failed.
FAILED_ASSERTION = re.compile(r"\n\nFailed Assertion\n[^\n]*")


def our_truth(published):
    truth = json.loads(published)
    kind = KINDS[truth["testtype"]]
    inputs = truth["inputs"]
    if kind == "function":
        inputs = [json.dumps(list(arguments.values())) for arguments in inputs]
    tests = zip(inputs, truth["outputs"], strict=True)
    return json.dumps(
        {
            "version": 1,
            "kind": kind,
            "tests": [{"input": given, "output": wanted, "is_public": True} for given, wanted in tests],
            "function": {"function": truth["fn_name"], "asserts": "add", "stdin": None}[kind],
            "setup": "",
            "time_limit": truth["time_limit"],
            "memory_limit": None,
            "checker": None,
        }
    )


def ours(case):
    result = compute_score("code/golden", case["solution"], our_truth(case["ground_truth"]), case.get("extra_info"))
    return result["score"], FAILED_ASSERTION.sub("", result["feedback"])


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: repr(case["solution"][-40:]))
def test_scores_and_feedback_are_the_published_ones(case):
    score, feedback = ours(case)
    if OTHER_NAME in case["solution"]:
        assert (case["score"], score) == (1.0, 0.0)
        assert feedback.startswith("Runtime Error\nNameError: name 'scale' is not defined\n\nLast Executed Input\n")
        return
    assert score == case["score"]
    if "feedback" in case:
        expected = case["feedback"]
        for published, here in BY_POSITION.items():
            expected = expected.replace(published, here)
        assert feedback == expected
    else:
        assert feedback


def test_the_cases_cover_what_they_are_here_for():
    assert len(GOLDEN) == 25
    assert sum("feedback" in case for case in GOLDEN) == 18
    assert sum(OTHER_NAME in case["solution"] for case in GOLDEN) == 1
