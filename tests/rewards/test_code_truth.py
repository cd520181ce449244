# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import json
import threading
import time

import pytest

from verl_sdpo.rewards import code_truth
from verl_sdpo.rewards.code_truth import CodeTest, CodeTruth, TruthFault, read_code_truth
from verl_sdpo.rewards.truth_cache import TruthCache

STDIN = {
    "version": 1,
    "kind": "stdin",
    "tests": [{"input": "1 2\n", "output": "3\n", "is_public": True}],
    "function": None,
    "setup": "",
    "time_limit": 6,
    "memory_limit": None,
    "checker": None,
}
FUNCTION = STDIN | {
    "kind": "function",
    "function": "f",
    "tests": [{"input": "[1]", "output": "2", "is_public": False}],
    "memory_limit": 256.0,
    "tolerance": 1e-6,
}


def test_a_ground_truth_is_read_as_plain_data():
    test = CodeTest("1 2\n", "3\n", True)
    assert read_code_truth(json.dumps(STDIN)) == CodeTruth("stdin", (test,), None, "", 6, None, None, None)
    read = read_code_truth(json.dumps(FUNCTION))
    assert (read.function, read.memory_limit, read.tolerance) == ("f", 256.0, 1e-6)
    with pytest.raises(AttributeError):
        read.kind = "stdin"
    assert hash(read)


def test_every_field_is_specified():
    assert all(f"\n``{field}``" in code_truth.__doc__ for field in [*FUNCTION, *code_truth.KINDS])


@pytest.mark.parametrize("tolerance", [None, 1e-9, 1])
def test_the_tolerance_may_be_there_or_not(tolerance):
    assert read_code_truth(json.dumps(STDIN | {"tolerance": tolerance})).tolerance == tolerance


def test_long_whole_numbers_are_json_too():
    test = {"input": f"[{'1' * 9000}]", "output": "2" * 9000, "is_public": False}
    assert read_code_truth(json.dumps(FUNCTION | {"tests": [test]})).tests[0].output == "2" * 9000


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"version": 2}, "version 2, must have 1"),
        ({"kind": "shell"}, "kind 'shell' is not one of stdin, function, asserts"),
        ({"kind": ["stdin"]}, "kind"),
        ({"tests": []}, "needs 1 to 10,000 tests, has 0"),
        ({"tests": {"input": "1"}}, "has dict"),
        ({"tests": [{"input": "\ud800", "output": "", "is_public": True}]}, "test 0: input and output must be text"),
        ({"tests": [{"input": "", "output": "\udfff", "is_public": True}]}, "test 0: input and output must be text"),
        ({"setup": "\ud800"}, "setup must be text"),
        ({"checker": 3}, "checker text or null"),
        ({"function": "f"}, "function 'f' does not go with kind stdin"),
        ({"kind": "asserts", "function": True}, "function True does not go with kind asserts"),
        ({"time_limit": "6"}, "time_limit '6' is no number above 0"),
        ({"time_limit": float("inf")}, "time_limit inf"),
        ({"tolerance": 0}, "tolerance 0 is no number above 0"),
        ({"tolerance": True}, "tolerance True"),
        ({"tolerance": "x" * 999}, "tolerance 'xxx"),
        ({"tolerance": 1e-6, "checker": "print(1)"}, "tolerance 1e-06 has no effect with a checker: leave it out"),
        ({"tolerance": 1e-6, "kind": "asserts", "function": "f"}, "no effect with kind asserts"),
        ({"more": 1}, "must be an object with"),
    ],
)
def test_a_fault_is_named_with_its_value_and_the_remedy(changes, named):
    with pytest.raises(ValueError, match="correct the row's reward_model.ground_truth") as error:
        read_code_truth(json.dumps(STDIN | changes))
    assert named in str(error.value)
    assert len(str(error.value)) < 300
    assert isinstance(error.value.__cause__, TruthFault)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, None, 3, b"{}", {"version": 1}])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match=r"ground truth.*correct the row's"):
        read_code_truth(text)


def test_each_field_is_needed():
    for field in STDIN:
        with pytest.raises(ValueError, match="must be an object with"):
            read_code_truth(json.dumps({name: value for name, value in STDIN.items() if name != field}))


def test_a_large_text_is_read_once():
    tests = [{"input": "x" * 1000, "output": str(i), "is_public": False} for i in range(10_000)]
    text = json.dumps(STDIN | {"tests": tests})
    first = read_code_truth(text)
    start = time.process_time()
    assert all(read_code_truth(text) is first for _ in range(10))
    assert time.process_time() - start < 2


def test_the_cache_is_bounded_by_texts_and_by_their_length():
    calls = []

    def read(text):
        calls.append(text)
        return text.upper()

    cache = TruthCache(max_chars=10, max_entries=3)
    assert [cache.get(text, read) for text in ("a", "b", "a", "c", "a", "d", "a", "b")] == list("ABACADAB")
    assert calls == ["a", "b", "c", "d", "b"]
    assert len(cache) == 3
    assert cache.get("long" * 2, read) == "LONG" * 2
    assert len(cache) == 3
    assert cache.get("long" * 3, read) == "LONG" * 3
    assert len(cache) == 0
    assert cache.get("\ud800", read) == "\ud800"


def test_faults_are_not_kept():
    cache = TruthCache(max_chars=10, max_entries=3)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cache.get("a", lambda text: 1 / 0)
    assert cache.get("a", str.upper) == "A"


def test_threads_read_the_same():
    cache, found = TruthCache(max_chars=20, max_entries=4), []

    def work():
        found.extend(cache.get(str(number % 7), int) == number % 7 for number in range(2000))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8000
    assert all(found)
    assert len(cache) == 4
