# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_preprocess import humaneval_plus
from data_preprocess.dataset import Place, Refused
from tests.data_preprocess.command_line import rows_of, run_module

PROMPT = '''from typing import List
import math


def helper(x: int) -> int:
    return x


def total(numbers: List[int]) -> int:
    """ Sum of the numbers.
    >>> total([1, 2])
    3
    """
'''
SOLUTION = "\n    return sum(numbers)\n\n"
TEST = """

def assertion(out, exp, atol):
    assert out == exp


def check(candidate):
    inputs = [[[1, 2]], [[]]]
    results = [3, 0]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
"""
SETUP = "from typing import List\nimport math\ndef helper(x: int) -> int:\n    return x\n"


def record(**changes):
    return {
        "task_id": "HumanEval/4",
        "prompt": PROMPT,
        "canonical_solution": SOLUTION,
        "entry_point": "total",
        "test": TEST,
    } | changes


def convert(source, with_solution=False, seconds=30.0):
    options = argparse.Namespace(with_solution=with_solution, time_limit=seconds)
    return humaneval_plus.convert(source, Place("test", 4), options)


def test_a_problem_becomes_a_row_that_calls_the_published_check():
    row = convert(record())
    assert row["data_source"] == "code/humaneval_plus"
    content = row["prompt"][0]["content"]
    assert content.endswith(f"```python\n{PROMPT.strip()}\n```")
    assert "checked with 1 test (not shown here) and must pass all of them, each within 30 seconds." in content
    assert json.loads(row["reward_model"]["ground_truth"]) == {
        "version": 1,
        "kind": "asserts",
        "tests": [{"input": f"{TEST.rstrip()}\n\n\ncheck(total)\n", "output": "", "is_public": False}],
        "function": "total",
        "setup": SETUP,
        "time_limit": 30.0,
        "memory_limit": None,
        "checker": None,
    }
    assert row["privileged_context"] is None
    assert row["extra_info"] == {"split": "test", "index": 4, "source_id": "HumanEval/4", "details": None}


def run_truth(row, program):
    truth = json.loads(row["reward_model"]["ground_truth"])
    names = {}
    for source in (truth["setup"], program, *(test["input"] for test in truth["tests"])):
        exec(source, names)


def test_the_reference_solution_passes_and_another_does_not():
    run_truth(convert(record()), PROMPT + SOLUTION)
    with pytest.raises(AssertionError):
        run_truth(convert(record()), "def total(numbers):\n    return 3\n")


def test_check_is_called_once():
    called = f"{TEST}\ncheck(total)\n"
    assert humaneval_plus.check_source(called, "total") == called


def test_the_solution_is_for_the_teacher_on_request():
    row = convert(record(), with_solution=True)
    assert row["privileged_context"] == f"```python\n{PROMPT}{SOLUTION}\n```"
    assert "sum(numbers)" not in row["prompt"][0]["content"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *[({field: None}, f"'{field}' is null") for field in record()],
        *[({field: 1}, f"'{field}' must be text") for field in record()],
        ({"prompt": "def total("}, "'prompt' is not Python"),
        ({"entry_point": "sum_of"}, "'entry_point' 'sum_of' is not defined in 'prompt'"),
        ({"test": "def check("}, "'test' is not Python"),
        ({"test": "assert total([]) == 0"}, "'test' does not define 'check'"),
    ],
)
def test_a_record_that_cannot_be_a_row_names_the_field(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        convert(record(**changes))


def test_the_command_writes_the_test_split(tmp_path):
    records = [record(), record(task_id=None), record(task_id="HumanEval/5", prompt=PROMPT + "# other")]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "test-00000-of-00001.parquet")
    status, told, _ = run_module(
        "humaneval_plus", "--input", tmp_path, "--output", tmp_path / "out", "--with-solution", "--time-limit", "5"
    )
    assert status == 0
    assert re.search(r"rows in +3\n", told)
    assert re.search(r"rows refused +1\n", told)
    assert re.search(r"rows out +2\n", told)
    assert re.search(r"reward: gold answer scores 1, a wrong one 0 +2\n", told)
    assert re.search(r"rows with privileged_context +2\n", told)
    rows = rows_of(tmp_path / "out" / "test.parquet")
    assert all("each within 5 seconds" in row["prompt"][0]["content"] for row in rows)
    assert {json.loads(row["reward_model"]["ground_truth"])["time_limit"] for row in rows} == {5.0}
