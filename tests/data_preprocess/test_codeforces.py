# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import re

import pytest

from data_preprocess import codeforces
from data_preprocess.dataset import LeftOut, Place, Refused
from tests.data_preprocess.command_line import rows_of, run_module, write_lines

EDITORIAL = "Sort, then use a segment tree."
CHECKER = "import sys\nprint(int(open(sys.argv[2]).read() == open(sys.argv[3]).read()))\n"


def record(**changes):
    return {
        "id": "852/A",
        "aliases": None,
        "contest_id": "852",
        "contest_name": "Bubble Cup",
        "contest_type": "ICPC",
        "contest_start": 1504432800,
        "contest_start_year": 2017,
        "index": "A",
        "time_limit": 2.0,
        "memory_limit": 256.0,
        "title": "Digits",
        "description": "John gives Jack a very hard number $$$N$$$.",
        "input_format": "One number.",
        "output_format": "Three lines.",
        "interaction_format": None,
        "note": "In the first example, 1.",
        "examples": [{"input": "1", "output": "1\n1\n1"}],
        "editorial": EDITORIAL,
        "rating": 2500,
        "tags": ["brute force"],
        "testset_size": 2,
        "official_tests": [{"input": "1", "output": "1\n1\n1"}, {"input": "66", "output": "6+6\n1+2\n3"}],
        "official_tests_complete": True,
        "input_mode": "stdio",
        "generated_checker": CHECKER,
        "executable": True,
        "generated_tests": 0,
    } | changes


def convert(source, **changes):
    settings = {"time_limit": None, "with_editorial": False, "with_incomplete_tests": False} | changes
    return codeforces.convert(source, Place("train", 0), argparse.Namespace(**settings))


def test_a_problem_becomes_a_row_with_its_official_tests_and_checker():
    row = convert(record())
    content = row["prompt"][0]["content"]
    assert row["data_source"] == "code/codeforces"
    assert content.endswith(
        "# Digits\n\nJohn gives Jack a very hard number $$$N$$$.\n\n## Input\n\nOne number.\n\n"
        "## Output\n\nThree lines.\n\n"
        "## Example 1\n\nInput:\n```\n1\n```\nOutput:\n```\n1\n1\n1\n```\n\n## Note\n\nIn the first example, 1."
    )
    assert "2 tests (1 of them shown below)" in content
    assert "each within 2 seconds and 256 MiB of memory." in content
    assert json.loads(row["reward_model"]["ground_truth"]) == {
        "version": 1,
        "kind": "stdin",
        "tests": [
            {"input": "1", "output": "1\n1\n1", "is_public": True},
            {"input": "66", "output": "6+6\n1+2\n3", "is_public": False},
        ],
        "function": None,
        "setup": "",
        "time_limit": 2.0,
        "memory_limit": 256.0,
        "checker": CHECKER,
    }
    assert row["extra_info"]["source_id"] == "852/A"
    assert json.loads(row["extra_info"]["details"]) == {"has_all_official_tests": True, "rating": 2500}


@pytest.mark.parametrize("with_editorial", [False, True])
def test_the_editorial_never_reaches_the_student(with_editorial):
    row = convert(record(), with_editorial=with_editorial)
    assert row["privileged_context"] == (EDITORIAL if with_editorial else None)
    told = {name: value for name, value in row.items() if name != "privileged_context"}
    assert EDITORIAL not in json.dumps(told)
    assert "brute force" not in json.dumps(row), "tags name the method"


def test_fields_that_some_problems_lack_may_be_missing():
    lacking = dict.fromkeys(("note", "input_format", "examples", "editorial", "generated_checker", "memory_limit"))
    row = convert(record(**lacking), with_editorial=True)
    assert row["privileged_context"] is None
    assert row["prompt"][0]["content"].endswith("## Output\n\nThree lines.")
    assert "2 tests (not shown here)" in row["prompt"][0]["content"]
    assert "1.5 seconds." in convert(record(**lacking), time_limit=1.5)["prompt"][0]["content"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *[({field: None}, f"'{field}' is null") for field in ("id", "title", "description", "output_format")],
        *[
            ({field: 1}, f"'{field}' must be text")
            for field in ("id", "title", "description", "note", "generated_checker")
        ],
        ({"input_mode": "file"}, "'input_mode' is 'file'"),
        ({"interaction_format": "Ask."}, "'interaction_format'"),
        ({"official_tests_complete": None}, "'official_tests_complete' must be true or false"),
        ({"official_tests": None}, "'official_tests' is empty"),
        ({"official_tests": []}, "'official_tests' is empty"),
        ({"official_tests": "x"}, "'official_tests' must be a list"),
        ({"official_tests": [{"input": "1"}]}, "'official_tests': test 0"),
        ({"examples": [["1"]]}, "'examples': test 0"),
        ({"examples": [3]}, "'examples': test 0"),
        ({"time_limit": None}, "'time_limit' is missing or null"),
        ({"time_limit": -1}, "'time_limit' must be a number"),
        ({"memory_limit": "256"}, "'memory_limit' must be a number"),
    ],
)
def test_a_record_that_cannot_be_a_row_names_the_field(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        convert(record(**changes))


def test_incomplete_tests_are_left_out_unless_asked_for():
    with pytest.raises(LeftOut):
        convert(record(official_tests_complete=False))
    assert convert(record(official_tests_complete=False), with_incomplete_tests=True)


def test_the_command_writes_both_splits(tmp_path):
    train = [record(), record(title="B", official_tests_complete=False), record(title="C", input_mode="file")]
    write_lines(tmp_path / "verifiable" / "train.jsonl", train)
    write_lines(tmp_path / "verifiable" / "test.jsonl", [record(title="D")])
    arguments = ["codeforces", "--input", tmp_path, "--output", tmp_path / "out"]
    status, told, _ = run_module(*arguments)
    assert status == 0
    assert re.search(r"rows in +3 +1\n", told)
    assert re.search(r"rows refused +1 +0\n", told)
    assert re.search(r"rows left out by --no-with-incomplete-tests +1 +0\n", told)
    assert re.search(r"rows out +1 +1\n", told)
    assert re.search(r"reward: expected outputs score 1, others 0 +1 +1\n", told)
    status, told, _ = run_module(*arguments, "--with-incomplete-tests", "--with-editorial")
    assert re.search(r"problems with incomplete official tests +1 +0\n", told)
    assert re.search(r"rows with privileged_context +2 +1\n", told)
    assert len(rows_of(tmp_path / "out" / "train.parquet")) == 2
