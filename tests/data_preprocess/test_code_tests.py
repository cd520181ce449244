# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from data_preprocess.code_prompts import how_tested
from data_preprocess.code_tests import CodeTest, code_ground_truth, read_code_ground_truth
from data_preprocess.dataset import Refused
from verl_sdpo.rewards import code_truth


def test_a_ground_truth_has_the_fields_of_its_specification_and_reads_back():
    text = code_ground_truth("stdin", [CodeTest("1 2\n", "3\n", True), CodeTest("ä", "")], time_limit=6.0)
    expected = {
        "version": 1,
        "kind": "stdin",
        "tests": [
            {"input": "1 2\n", "output": "3\n", "is_public": True},
            {"input": "ä", "output": "", "is_public": False},
        ],
        "function": None,
        "setup": "",
        "time_limit": 6.0,
        "memory_limit": None,
        "checker": None,
    }
    assert json.loads(text) == expected == read_code_ground_truth(text)
    assert all(f"``{field}``" in code_truth.__doc__ for field in expected)


def test_the_other_kinds_name_their_function():
    for kind, test in (("function", CodeTest('[1, "a"]', "null")), ("asserts", CodeTest("assert f(1) == 2", ""))):
        text = code_ground_truth(
            kind, [test], time_limit=1, function="f", setup="import math\n", memory_limit=256, checker="print(1)"
        )
        assert read_code_ground_truth(text)["function"] == "f"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, "version"),
        ({"kind": "shell"}, "kind 'shell'"),
        ({"tests": []}, "needs 1 to 10,000 tests, has 0"),
        ({"tests": None}, "needs 1 to 10,000 tests, has NoneType"),
        ({"tests": [{"input": "1", "output": "2"}]}, "test 0 must have"),
        ({"tests": [3]}, "test 0 must have"),
        ({"tests": [{"input": 1, "output": "2", "is_public": True}]}, "input and output must be text"),
        ({"tests": [{"input": "1", "output": None, "is_public": True}]}, "input and output must be text"),
        ({"tests": [{"input": "1", "output": "2", "is_public": 1}]}, "is_public"),
        ({"function": "f"}, "does not go with kind stdin"),
        ({"kind": "asserts"}, "does not go with kind asserts"),
        ({"kind": "asserts", "function": "f g"}, "does not go with"),
        ({"kind": "function", "function": "f"}, "JSON array of arguments"),
        ({"setup": None}, "setup"),
        ({"checker": 1}, "checker"),
        ({"time_limit": 0}, "time_limit"),
        ({"time_limit": None}, "time_limit"),
        ({"time_limit": True}, "time_limit"),
        ({"memory_limit": -1}, "memory_limit"),
        ({"more": 1}, "must be an object with"),
    ],
)
def test_whatever_is_not_as_specified_is_refused(changes, reason):
    truth = json.loads(code_ground_truth("stdin", [CodeTest("1", "2")], time_limit=6))
    with pytest.raises(Refused, match=reason):
        read_code_ground_truth(json.dumps(truth | changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000])
def test_a_ground_truth_that_is_no_object_is_refused(text):
    with pytest.raises(Refused, match="ground truth"):
        read_code_ground_truth(text)


def test_the_number_and_the_size_of_tests_are_bounded(monkeypatch):
    with pytest.raises(Refused, match="has 10001"):
        code_ground_truth("stdin", [CodeTest("", "")] * 10_001, time_limit=1)
    monkeypatch.setattr(code_truth, "MAX_MIB", 1)
    with pytest.raises(Refused, match="tests have 2 MiB, over 1"):
        code_ground_truth("stdin", [CodeTest("x" * (1 << 20), "x" * (1 << 20))], time_limit=1)


def test_what_the_student_is_told_of_tests_is_what_there_is():
    assert (
        how_tested(1, 0, 1)
        == "It is checked with 1 test (not shown here) and must pass all of them, each within 1 second."
    )
    assert "with 3 tests (shown below)" in how_tested(3, 3, 6)
    told = how_tested(7, 2, 2.5, 256.0, at_most=True)
    assert told == (
        "It is checked with at most 7 tests (2 of them shown below) and must pass all of them, "
        "each within 2.5 seconds and 256 MiB of memory."
    )
