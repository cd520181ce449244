# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_preprocess import mbpp_plus
from data_preprocess.dataset import Place, Refused
from tests.data_preprocess.command_line import rows_of, run_module

CODE = "def helper(x):\n    return x\n\n\ndef similar(a, b):\n    return tuple(set(a) & set(b))\n"
SHOWN = ["assert set(similar((3, 4), (4, 5))) == set((4,))", "assert math.isclose(len(similar((1,), (2,))), 0)"]
TEST = """inputs = [[(1, 2), (2,)]]
results = [(2,)]
for inp, exp in zip(inputs, results):
    assert similar(*inp) == exp
"""


def record(**changes):
    return {
        "task_id": 2,
        "code": CODE,
        "prompt": "Write a function to find the shared elements from the given two lists.",
        "source_file": "Benchmark Questions Verification V2.ipynb",
        "test_imports": ["import math"],
        "test_list": SHOWN,
        "test": TEST,
    } | changes


def convert(source, with_solution=False):
    return mbpp_plus.convert(source, Place("test", 1), argparse.Namespace(with_solution=with_solution, time_limit=30.0))


def test_a_problem_becomes_a_row_with_shown_and_hidden_tests():
    row = convert(record())
    content = row["prompt"][0]["content"]
    assert row["data_source"] == "code/mbpp_plus"
    assert content.endswith("\n\n```python\n" + "\n".join(SHOWN) + "\n```")
    assert "The tests call the function similar, which the code must define." in content
    assert "checked with 3 tests (2 of them shown below)" in content
    assert "inputs" not in content
    assert json.loads(row["reward_model"]["ground_truth"]) == {
        "version": 1,
        "kind": "asserts",
        "tests": [
            *[{"input": test, "output": "", "is_public": True} for test in SHOWN],
            {"input": TEST, "output": "", "is_public": False},
        ],
        "function": "similar",
        "setup": "import math\n",
        "time_limit": 30.0,
        "memory_limit": None,
        "checker": None,
    }
    assert row["extra_info"] == {"split": "test", "index": 1, "source_id": "2", "details": None}
    assert row["privileged_context"] is None
    assert convert(record(), with_solution=True)["privileged_context"] == f"```python\n{CODE.strip()}\n```"


def test_the_reference_solution_passes():
    truth = json.loads(convert(record())["reward_model"]["ground_truth"])
    names = {}
    for source in (truth["setup"], CODE, *(test["input"] for test in truth["tests"])):
        exec(source, names)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *[({field: None}, f"'{field}' is null") for field in ("prompt", "code", "test")],
        *[({field: 1}, f"'{field}' must be text") for field in ("prompt", "code", "test")],
        *[({field: "[]"}, f"'{field}' must be a list of texts") for field in ("test_list", "test_imports")],
        *[({field: [1]}, f"'{field}' must be a list of texts") for field in ("test_list", "test_imports")],
        *[({field: None}, f"'{field}' must be a list of texts") for field in ("test_list", "test_imports")],
        ({"test_list": []}, "'test_list' is empty"),
        ({"test_list": ["assert"]}, "'test_list' is not Python"),
        ({"test_list": ["assert other(1)"]}, "'test_list' calls no function that 'code' defines"),
        ({"code": "def f("}, "'code' is not Python"),
        ({"test": "for"}, "'test' is not Python"),
        ({"task_id": None}, "'task_id' must be a number or a name"),
        ({"task_id": " "}, "'task_id' must be a number or a name"),
    ],
)
def test_a_record_that_cannot_be_a_row_names_the_field(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        convert(record(**changes))


def test_the_command_writes_the_test_split(tmp_path):
    table = pa.Table.from_pylist([record(), record(task_id=3, prompt="Other.", test="for")])
    pq.write_table(table, tmp_path / "test-00000-of-00001.parquet")
    status, told, _ = run_module("mbpp_plus", "--input", tmp_path, "--output", tmp_path / "out")
    assert status == 0
    assert re.search(r"rows refused +1\n", told)
    assert re.search(r"rows out +1\n", told)
    assert re.search(r"reward: gold answer scores 1, a wrong one 0 +1\n", told)
    assert "refused: test row 1: 'test' is not Python" in told
    assert rows_of(tmp_path / "out" / "test.parquet")[0]["extra_info"]["source_id"] == "2"
