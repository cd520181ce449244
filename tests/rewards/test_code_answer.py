# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Programs through the whole reward: what they score, and what is said of them."""

import concurrent.futures
import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.sandbox.programs import correct_programs
from verl_sdpo.rewards import code_runs, compute_score, registered_rewards
from verl_sdpo.rewards.code_answer import check_ground_truth
from verl_sdpo.sandbox import ExecutionResult, LocalSandbox, SandboxRefused, SandboxSettings, Status, sandbox_for

ADD = "a, b = map(int, input().split())\nprint(a + b)"


def truth(kind="stdin", tests=(("1 2", "3"), ("10 20", "30"), ("-3 3", "0")), num_public=0, **fields):
    return json.dumps(
        {
            "version": 1,
            "kind": kind,
            "tests": [
                {"input": given, "output": wanted, "is_public": index < num_public}
                for index, (given, wanted) in enumerate(tests)
            ],
            "function": None if kind == "stdin" else "f",
            "setup": "",
            "time_limit": 1,
            "memory_limit": None,
            "checker": None,
        }
        | fields
    )


ASSERTS = truth("asserts", (("assert f(1) == 2\nassert f(2) == 3", ""), ("assert f(-1) == 0", "")))
CALLS = truth("function", (("[1]", "2"), ("[2]", "3")), setup="from typing import *\n")


def score(code, ground_truth=None, extra_info=None, **options):
    return compute_score("code/own", f"Thus:\n```python\n{code}\n```", ground_truth or truth(), extra_info, **options)


@pytest.mark.parametrize(
    ("code", "ground_truth"),
    [
        (ADD, truth()),
        (ADD + "\nexit()", truth()),
        ("import sys\nfor line in sys.stdin: print(sum(map(int, line.split())), end='  \\n\\n')", truth()),
        ("def f(x): return x + 1", CALLS),
        ("class Solution:\n    def f(self, x: List[int]) -> Optional[int]:\n        return x + 1", CALLS),
        ("import numpy\ndef f(x): return numpy.int64(x + 1)", CALLS),
        ("def f(x): return float(x + 1)", CALLS),
        ("def f(x):\n    print('debugging')\n    return x + 1", CALLS),
        ("def f(x): return x + 1\nif __name__ == '__main__':\n    print(f(int(input())))", CALLS),
        ("def f(x): return x + 1", ASSERTS),
        ("f = lambda x: x + 1", ASSERTS),
    ],
)
def test_right_programs_score_one_and_hear_nothing(code, ground_truth):
    result = score(code, ground_truth)
    assert (result["score"], result["acc"], result["feedback"]) == (1.0, 1.0, "")


@pytest.mark.parametrize(
    ("code", "ground_truth", "told"),
    [
        ("a, b = map(int, input().split())\nprint(a - b)", truth(), "Test Case 1: Wrong Answer\n\nInput\n1 2\n"),
        ("print(1 / 0)", truth(), 'Runtime Error\nTraceback (most recent call last):\n  File "solution.py", line 1'),
        ("while True: pass", truth(), "Time Limit Exceeded\n\nLast Executed Input\n1 2"),
        ("x = [0] * 10 ** 10", truth(), "Memory Limit Exceeded\nmore than 1024 MiB of memory\n"),
        ("while True: print('x' * 999)", truth(), "Output Limit Exceeded\n"),
        ("def f(:", truth(), "Compile Error\n"),
        ("import os\nos.abort()", truth(), "Runtime Error\nended by SIGABRT\n"),
        ("import sys\nsys.exit(3)", truth(), "Runtime Error\nexit status 3\n"),
        ("def f(x): return True", CALLS, "Test Case 1: Wrong Answer\n\nInput\n1\n\nOutput\ntrue\n\nExpected\n2"),
        ("def f(x): return {x}", CALLS, "Runtime Error\nTypeError: a value of type set cannot be written as JSON"),
        ("def g(x): return x", CALLS, "Runtime Error\nNameError: name 'f' is not defined"),
        ("import os\ndef f(x): os._exit(0)", CALLS, "Runtime Error\nthe function did not return"),
        (
            "def f(x): return x + (x < 0)",
            ASSERTS,
            "Runtime Error\nAssertionError: \n\nFailed Assertion\nassert f(1) == 2\n",
        ),
        ("def f(x): raise KeyError(x)", ASSERTS, 'Runtime Error\nTraceback (most recent call last):\n  File "solution'),
        ("def f(x):\n    while True: pass", ASSERTS, "Time Limit Exceeded\n"),
        ("raise ValueError('loaded')", ASSERTS, "Runtime Error\nTraceback (most recent call last):\n"),
        ("def f(", ASSERTS, "Compile Error\n"),
        ("exit()", ASSERTS, "Runtime Error\n"),
    ],
)
def test_wrong_programs_score_nothing_and_hear_why(code, ground_truth, told):
    result = score(code, ground_truth)
    assert (result["score"], result["acc"], result["incorrect_format"]) == (0.0, 0.0, 0.0)
    assert result["feedback"].startswith(told)
    assert result["timed_out"] == float("Time Limit" in told)
    assert (result["sandbox_error"], result["bad_test"]) == (0.0, 0.0)


def test_a_response_without_code_is_a_fault_of_form():
    for response in ("", "no code", "```python\nprint(1)", "```c++\nint main() {}\n```"):
        result = compute_score("code/own", response, truth(), {})
        assert (result["score"], result["incorrect_format"]) == (0.0, 1.0)
        assert result["feedback"].startswith("Incorrect Format")
    cut = compute_score("code/own", "```python\nprint(1)", truth(), {"truncated": True})
    assert cut["feedback"].startswith("Truncated Attempt")
    assert cut["truncated"] == 1.0


def test_a_dense_score_is_the_fraction_of_tests_that_are_passed():
    code = "a, b = map(int, input().split())\nprint(a + b if a < 5 else 1 / 0)"
    assert score(code)["score"] == 0.0
    dense = score(code, dense_score=True)
    assert dense["score"] == pytest.approx(2 / 3)
    assert dense["acc"] == 0.0
    assert "ZeroDivisionError" in dense["feedback"]
    assert score(ADD, dense_score=True)["score"] == 1.0


def test_after_an_error_no_more_tests_are_run_unless_all_count(monkeypatch):
    run, runs = [], code_runs.run_test
    monkeypatch.setattr("verl_sdpo.rewards.code_answer.run_test", lambda *a: run.append(a[3]) or runs(*a))
    score("input()\n1 / 0")
    assert run == [0]
    run.clear()
    score("print('wrong')")
    assert run == [0, 1, 2]
    run.clear()
    score("1 / 0", dense_score=True)
    assert run == [0, 1, 2]
    run.clear()
    score("def", dense_score=True)
    assert run == [0]


def test_feedback_may_be_limited_to_what_the_prompt_shows():
    code = "a, b = map(int, input().split())\nprint(a - b)"
    shown = score(code, truth(num_public=1), feedback_tests="public")["feedback"]
    assert "Test Case 1" in shown
    assert "-3 3" not in shown
    hidden = score(
        "a, b = map(int, input().split())\nprint(3 if a == 1 else 7)", truth(num_public=1), feedback_tests="public"
    )
    assert hidden["feedback"] == "Test Case 3: Wrong Answer\n\nTest Case 2: Wrong Answer"
    assert score(code, feedback_tests="none")["feedback"].splitlines()[0] == "Test Case 1: Wrong Answer"
    with pytest.raises(ValueError, match="feedback_tests 'some': choose one of all, public, none"):
        score(code, feedback_tests="some")


CHECKER = """import sys
given, expected, actual = (open(name).read().split() for name in sys.argv[1:])
print(int(sum(map(int, actual)) == int(given[0])))
"""


def test_a_checker_of_the_dataset_judges_where_several_outputs_are_right():
    checked = truth(tests=(("5", "2 3"),), checker=CHECKER)
    assert score("print(1, 4)", checked)["score"] == 1.0
    wrong = score("print(1, 5)", checked)
    assert (wrong["score"], wrong["bad_test"]) == (0.0, 0.0)
    assert "Expected (for example)\n2 3" in wrong["feedback"]


def test_nonsense_that_a_checker_fails_on_is_wrong_and_a_checker_that_always_fails_is_a_bad_test():
    nonsense = score("print('nonsense')", truth(tests=(("5", "2 3"),), checker=CHECKER))
    assert (nonsense["score"], nonsense["bad_test"], nonsense["feedback"] != "") == (0.0, 0.0, True)
    for checker in ("print('?')", "1 / 0", "def"):
        result = score("print('x')", truth(tests=(("5", "2 3"),), checker=checker))
        assert (result["score"], result["bad_test"], result["feedback"]) == (0.0, 1.0, "")


def test_asserts_that_fail_by_themselves_are_a_bad_test():
    result = score("def f(x): return x", truth("asserts", (("assert 1 == 2", ""),)))
    assert (result["score"], result["bad_test"], result["feedback"]) == (0.0, 1.0, "")


def test_a_failure_of_the_sandbox_is_not_the_programs(monkeypatch):
    broken = ExecutionResult(Status.SANDBOX_ERROR, reason="gone")
    monkeypatch.setattr(LocalSandbox, "_attempt", lambda self, parts: [broken for _ in parts])
    for ground_truth in (truth(), CALLS, ASSERTS):
        result = score("print(1)  # never seen before" + ground_truth[-40:], ground_truth)
        assert (result["score"], result["sandbox_error"], result["feedback"]) == (0.0, 1.0, "")


def test_a_sandbox_error_is_tried_once_more(monkeypatch):
    attempts, attempt = [], LocalSandbox._attempt

    def first_fails(self, parts):
        attempts.append(1)
        broken = [ExecutionResult(Status.SANDBOX_ERROR) for _ in parts]
        return broken if len(attempts) == 1 else attempt(self, parts)

    monkeypatch.setattr(LocalSandbox, "_attempt", first_fails)
    result = score(f"{ADD}  # {time.time_ns()}", truth(tests=(("1 2", "3"),)))
    assert (result["score"], result["sandbox_error"], len(attempts)) == (1.0, 0.0, 2)


def test_settings_of_the_sandbox_are_an_option():
    assert score(ADD, sandbox={"num_slots": 1, "required": ["filesystem"]})["score"] == 1.0
    with pytest.raises(ValueError, match=r"option sandbox has fields \['slots'\]; known: backend, required"):
        score(ADD, sandbox={"slots": 1})
    with pytest.raises(ValueError, match="backend 'docker'"):
        score(ADD, sandbox={"backend": "docker"})


def test_a_machine_that_cannot_isolate_is_no_fault_of_a_row(monkeypatch):
    def refuse(self):
        raise SandboxRefused("the sandbox lacks the required layer 'filesystem'")

    monkeypatch.setattr(LocalSandbox, "layers", refuse)
    with pytest.raises(SandboxRefused, match="^the sandbox lacks"):
        score(f"{ADD}  # new", sandbox={"num_slots": 3})


BROKEN = {
    "zero tests": truth(tests=()),
    "outputs are null": truth(tests=(("1", None),)),
    "time_limit is missing": json.dumps({k: v for k, v in json.loads(truth()).items() if k != "time_limit"}),
    "unknown kind": truth(kind="testtype"),
    "not JSON": "{'inputs': ...",
    "no function": truth("function", (("[1]", "2"),), function=None),
    "arguments are not JSON": truth("function", (("1 2", "2"),)),
    "no text": 5,
}


@pytest.mark.parametrize("ground_truth", BROKEN.values(), ids=BROKEN)
def test_a_broken_ground_truth_is_one_clear_error_before_anything_runs(ground_truth):
    with pytest.raises(ValueError, match="correct the row's reward_model.ground_truth") as caught:
        check_ground_truth(ground_truth)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="data source 'code/own'"):
        score(ADD, ground_truth)


FAILING = [
    "print({str(i) for i in range(30)})",
    "print(object())",
    "import random\nprint(random.random())",
    "import os\nprint(os.getcwd(), os.listdir('.'))",
    "raise ValueError(object())",
    "class A: pass\nraise KeyError(A())",
    "import threading\nprint(threading.current_thread(), threading.get_ident() > 0)",
    "print(print, len, open(0))",
    "import sys\nprint(sys.path, sys.executable, sys.version)",
    "def f(n): return f(n + 1)\nf(0)",
]


@pytest.mark.parametrize("code", FAILING)
def test_feedback_is_the_same_bytes_every_time(code):
    told = set()
    for _ in range(3):
        own = LocalSandbox(SandboxSettings(num_slots=1))
        outcome = code_runs.run_test(own, code, code_runs.CodeTruth("stdin", TESTS, None, "", 1.0, None, None), 0)
        told.add(code_runs_feedback(outcome))
        own.close()
    assert len(told) == 1
    text = told.pop()
    for trace in (str(Path.home()), "/tmp", "site-packages", "0x7", "verl_sdpo", "/scratch"):
        assert trace not in text


TESTS = (code_runs.CodeTest("1 2", "3"),)


def code_runs_feedback(outcome):
    from verl_sdpo.rewards.code_feedback import code_feedback

    return code_feedback([outcome], code_runs.CodeTruth("stdin", TESTS, None, "", 1.0, None, None))


def test_scores_do_not_depend_on_the_thread_or_on_who_else_scores():
    codes = [ADD, "print(1 / 0)", "def", "print('no')"] * 8
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda pair: score(f"{pair[1]}\n# {pair[0]}"), enumerate(codes)))
    for kind in range(4):
        assert len({json.dumps(result) for result in results[kind::4]}) == 1
    assert [result["score"] for result in results[:4]] == [1.0, 0.0, 0.0, 0.0]


def own_processes():
    return sum(
        f"PPid:\t{os.getpid()}\n" in path.read_text() for path in Path("/proc").glob("[0-9]*/status") if path.exists()
    )


def test_ten_thousand_responses_raise_nothing_and_leave_nothing(tmp_path, monkeypatch):
    """Random bytes, random bytes as code, and damaged programs; each gets a result, in bounded time."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = {"num_slots": os.cpu_count()}
    rng = random.Random(5)
    sources = [program.source for program in correct_programs() if len(program.source) < 2000]
    ground_truth = truth(tests=(("1 2", "3"),), time_limit=0.3, memory_limit=64)

    def response(index):
        noise = rng.randbytes(rng.randrange(200)).decode("utf-8", "surrogateescape" if index % 2 else "replace")
        if index % 4:
            return noise
        source = rng.choice(sources)
        cut = rng.randrange(len(source) + 1)
        damaged = (source[:cut] + noise[: rng.randrange(9)] + source[cut + rng.randrange(9) :], noise)[index % 16 == 0]
        return f"```python\n{damaged}\n```"

    responses = [response(index) for index in range(10_000)]
    sandbox = sandbox_for(SandboxSettings(**settings))
    sandbox.layers()
    for _ in range(2):
        # Interpreters and threads' own descriptors are there before and after.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda number: score(f"print({number})  # warm", sandbox=settings), range(8)))
    before = (len(os.listdir("/proc/self/fd")), own_processes(), len(os.listdir(tmp_path)))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(
            pool.map(lambda text: compute_score("code/own", text, ground_truth, {}, sandbox=settings), responses)
        )
    assert {result["sandbox_error"] for result in results} == {0.0}
    assert all(result["score"] in (0.0, 1.0) for result in results)
    assert sum(result["incorrect_format"] for result in results) > 5000
    assert sum("Error" in result["feedback"] for result in results) > 1000
    assert (len(os.listdir("/proc/self/fd")), own_processes(), len(os.listdir(tmp_path))) == before


def test_the_reward_is_registered():
    assert "code" in registered_rewards()
