# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The published code reward's scores and feedback against ours, on the published programs.

They are harmless, so a few lines here run them in this process, in place of the sandbox.
"""

import contextlib
import io
import json
import traceback
from pathlib import Path

import pytest

from verl_sdpo.rewards.code_block import find_code
from verl_sdpo.rewards.code_compare import same_output, same_value
from verl_sdpo.rewards.code_feedback import TestOutcome, code_feedback, no_code_feedback
from verl_sdpo.rewards.code_truth import read_code_truth
from verl_sdpo.rewards.code_verdict import Verdict

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
ENDLESS = "while True"


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


def run(code, truth, index):
    test = truth.tests[index]
    if ENDLESS in code:
        return TestOutcome(Verdict.TIME_LIMIT, test, index)
    output, space = io.StringIO(), {"__name__": "__main__"}
    lines = iter(test.input.splitlines())
    space["input"] = lambda: next(lines)
    try:
        program = compile(code, "solution.py", "exec")
    except SyntaxError:
        return TestOutcome(Verdict.COMPILE_ERROR, test, index, stderr=traceback.format_exc())
    try:
        with contextlib.redirect_stdout(output), pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.StringIO(test.input))
            exec(program, space)
            if truth.kind == "asserts":
                exec(compile(test.input, "test.py", "exec"), space)
            if truth.kind == "function":
                result = json.dumps(space[truth.function](*json.loads(test.input)))
    except SystemExit:
        pass
    except AssertionError:
        return TestOutcome(Verdict.WRONG_ANSWER, test, index, stderr=traceback.format_exc())
    except Exception:
        return TestOutcome(Verdict.RUNTIME_ERROR, test, index, stderr=traceback.format_exc())
    if truth.kind == "function":
        is_right = same_value(result, test.output)
        return TestOutcome(Verdict.ACCEPTED if is_right else Verdict.WRONG_ANSWER, test, index, result)
    is_right = truth.kind == "asserts" or same_output(output.getvalue(), test.output)
    return TestOutcome(Verdict.ACCEPTED if is_right else Verdict.WRONG_ANSWER, test, index, output.getvalue())


def ours(case):
    truth = read_code_truth(our_truth(case["ground_truth"]))
    code = find_code(case["solution"], truth.function).code
    if code is None:
        return 0.0, no_code_feedback(case.get("extra_info", {}).get("truncated", False))
    outcomes = [run(code, truth, index) for index in range(len(truth.tests))]
    is_right = all(outcome.verdict is Verdict.ACCEPTED for outcome in outcomes)
    return float(is_right), code_feedback(outcomes, truth)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: repr(case["solution"][-40:]))
def test_scores_and_feedback_are_the_published_ones(case):
    score, feedback = ours(case)
    if OTHER_NAME in case["solution"]:
        assert (case["score"], score) == (1.0, 0.0)
        assert feedback.startswith("Runtime Error\nKeyError: 'scale'\n\nLast Executed Input\n")
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
