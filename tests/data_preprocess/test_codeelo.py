# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_preprocess import codeelo
from data_preprocess.dataset import Place, Refused
from tests.data_preprocess.command_line import rows_of, run_module


def record(**changes):
    return {
        "problem_id": "2021A",
        "url": "an address",
        "title": "Meaning Mean",
        "rating": 800,
        "tags": ["greedy"],
        "div": "Div. 2",
        "time_limit_ms": 1500,
        "memory_limit_mb": 256,
        "description": "Pak Chanek has an array.",
        "input": "One line.",
        "output": "A number.",
        "interaction": "",
        "examples": [["3\n1 2 3\n", "2\n"], ["1\n5\n", "5\n"]],
        "note": "The answer is 2.",
    } | changes


def convert(source, time_limit=None, show_examples=False):
    options = argparse.Namespace(time_limit=time_limit, show_examples=show_examples)
    return codeelo.convert(source, Place("test", 0), options)


def test_a_problem_becomes_a_row_that_hides_its_only_tests():
    row = convert(record())
    content = row["prompt"][0]["content"]
    assert row["data_source"] == "code/codeelo"
    assert content.endswith(
        "# Meaning Mean\n\nPak Chanek has an array.\n\n## Input\n\nOne line.\n\n## Output\n\nA number."
    )
    assert "2 tests (not shown here)" in content
    assert "each within 1.5 seconds and 256 MiB" in content
    assert json.loads(row["reward_model"]["ground_truth"]) == {
        "version": 1,
        "kind": "stdin",
        "tests": [
            {"input": "3\n1 2 3\n", "output": "2\n", "is_public": False},
            {"input": "1\n5\n", "output": "5\n", "is_public": False},
        ],
        "function": None,
        "setup": "",
        "time_limit": 1.5,
        "memory_limit": 256,
        "checker": None,
    }
    details = json.dumps({"rating": 800})
    assert row["extra_info"] == {"split": "test", "index": 0, "source_id": "2021A", "details": details}


def test_examples_are_shown_on_request_and_then_public():
    row = convert(record(), show_examples=True)
    content = row["prompt"][0]["content"]
    assert "2 tests (shown below)" in content
    assert "## Example 2\n\nInput:\n```\n1\n5\n```\nOutput:\n```\n5\n```\n\n## Note\n\nThe answer is 2." in content
    assert all(test["is_public"] for test in json.loads(row["reward_model"]["ground_truth"])["tests"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *[({field: None}, f"'{field}' is null") for field in ("problem_id", "title", "description", "output")],
        *[({field: 1}, f"'{field}' must be text") for field in ("problem_id", "title", "input", "interaction")],
        ({"interaction": "Ask."}, "'interaction'"),
        ({"examples": None}, "'examples' is empty"),
        ({"examples": []}, "'examples' is empty"),
        ({"examples": [["1", 2]]}, "'examples': test 0"),
        ({"time_limit_ms": None}, "'time_limit_ms' is missing or null"),
        ({"time_limit_ms": "1 s"}, "'time_limit_ms' must be a number"),
        ({"memory_limit_mb": 0}, "'memory_limit_mb' must be a number"),
    ],
)
def test_a_record_that_cannot_be_a_row_names_the_field(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        convert(record(**changes))


def test_the_command_writes_the_test_split(tmp_path):
    records = [record(), record(title="B", interaction="Ask."), record(title="C", time_limit_ms=None)]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "test-00000-of-00001.parquet")
    status, told, _ = run_module("codeelo", "--input", tmp_path, "--output", tmp_path / "out")
    assert status == 0
    assert re.search(r"rows in +3\n", told)
    assert re.search(r"rows refused +2\n", told)
    assert re.search(r"reward: expected outputs score 1, others 0 +1\n", told)
    status, told, _ = run_module("codeelo", "--input", tmp_path, "--output", tmp_path / "out", "--time-limit", "3")
    assert re.search(r"rows out +2\n", told)
    assert len(rows_of(tmp_path / "out" / "test.parquet")) == 2
