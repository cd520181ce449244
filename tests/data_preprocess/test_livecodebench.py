# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import base64
import json
import os
import pickle
import re
import zlib
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_preprocess import livecodebench
from data_preprocess.command import run
from data_preprocess.dataset import LeftOut, Place, Refused
from tests.data_preprocess.command_line import rows_of, run_module, write_lines

QUESTION = "Add two numbers.\n\nThe signature f(self, x) stays.\n\nSample Input 1\n\n1 2\n\nSample Output 1\n\n3\n"
STARTER = "class Solution:\n    def addAll(self, nums: List[int], k: int) -> int:\n        "


def encoded(tests):
    """As the source has private tests: base64 of zlib of a pickle of JSON."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def stdin_tests(count, first=0):
    return [{"input": f"{n} 1\n", "output": f"{n + 1}\n", "testtype": "stdin"} for n in range(first, first + count)]


def record(question_id="abc387_b", held_on="2025-02-01T00:00:00", private=None, **changes):
    return {
        "question_title": "Sum",
        "question_content": QUESTION,
        "platform": "atcoder",
        "question_id": question_id,
        "contest_id": "abc387",
        "contest_date": held_on,
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
        "private_test_cases": encoded(stdin_tests(5) if private is None else private),
        "metadata": "{}",
    } | changes


def function_record(**changes):
    tests = [
        {"input": '[1, 2]\n"a\\nb"', "output": "3", "testtype": "functional"},
        {"input": "[]\n1e2", "output": "[null, true]", "testtype": "functional"},
    ]
    return (
        record(
            platform="leetcode",
            starter_code=STARTER,
            metadata=json.dumps({"func_name": "addAll"}),
            public_test_cases=json.dumps(tests[:1]),
            private_test_cases=encoded(tests),
        )
        | changes
    )


def options(*arguments):
    parser = argparse.ArgumentParser()
    livecodebench._add_options(parser)
    parser.set_defaults(seed=None, single_question=[], input=None)
    parsed = parser.parse_args(arguments)
    livecodebench._check_options(parsed)
    return parsed


def convert(source, split="train", row=0, chosen=None):
    return livecodebench.convert(source, Place(split, row), chosen or options())


def truth(row):
    return json.loads(row["reward_model"]["ground_truth"])


def test_a_problem_with_standard_input_becomes_a_row():
    row = convert(record(), "test", 7)
    assert row["data_source"] == "code/livecodebench_v6"
    assert row["prompt"] == [
        {
            "role": "user",
            "content": (
                "Solve this programming problem in Python. You may think first. End with the complete code in one "
                "block that starts with ```python and ends with ```.\n\n"
                "The program reads its input from standard input and writes its output to standard output.\n\n"
                "It is checked with at most 5 tests (not shown here) and must pass all of them, each within "
                "6 seconds.\n\n" + QUESTION
            ),
        }
    ]
    assert truth(row) == {
        "version": 1,
        "kind": "stdin",
        "tests": [{"input": f"{n} 1\n", "output": f"{n + 1}\n", "is_public": False} for n in range(5)],
        "function": None,
        "setup": "",
        "time_limit": 6.0,
        "memory_limit": None,
        "checker": None,
    }
    assert row["privileged_context"] is None
    assert row["ability"] == "code"
    details = {"contest_date": "2025-02-01", "difficulty": "easy", "platform": "atcoder", "private_tests": "all"}
    assert row["extra_info"] == {
        "split": "test",
        "index": 0,
        "source_id": "abc387_b",
        "details": json.dumps(details, sort_keys=True),
    }


def test_a_problem_with_a_function_keeps_its_arguments_and_its_text():
    row = convert(function_record(), "test")
    found = truth(row)
    assert (found["kind"], found["function"], found["setup"]) == ("function", "addAll", "from typing import *\n")
    assert found["tests"] == [
        {"input": '[[1, 2], "a\\nb"]', "output": "3", "is_public": True},
        {"input": "[[], 1e2]", "output": "[null, true]", "is_public": False},
    ]
    content = row["prompt"][0]["content"]
    assert "```python\ndef addAll(nums: List[int], k: int) -> int:\n```" in content
    assert "with at most 2 tests (1 of them shown below)" in content
    assert content.endswith(QUESTION), "the statement speaks of self, and is not edited"


@pytest.mark.parametrize(
    ("starter", "signature"),
    [
        (STARTER, "def addAll(nums: List[int], k: int) -> int:"),
        ("class Solution:\n    def addAll(self) -> int:\n        ", "def addAll() -> int:"),
        ("class Solution:\n    def addAll(self, a='(self, x)'):\n        pass\n", "def addAll(a='(self, x)'):"),
        ("class Solution:\n    def other(self): pass\n    def addAll(self, /, x):\n        ", "def addAll(x):"),
        ("def addAll(a, b=1, *c, **d):\n    ", "def addAll(a, b=1, *c, **d):"),
        ("def addAll(self, myself):\n    ", "def addAll(self, myself):"),
        ("class Solution:\n    @staticmethod\n    def addAll(a):\n        ", "def addAll(a):"),
    ],
)
def test_self_leaves_the_signature_of_a_method_and_nothing_else(starter, signature):
    assert livecodebench.function_signature(starter, "addAll") == signature


def test_private_tests_may_also_be_json_and_dates_times():
    plain = record(private_test_cases=json.dumps(stdin_tests(5)), contest_date=datetime(2025, 5, 31, 23, 59))
    assert truth(convert(plain, "test"))["tests"] == truth(convert(record(), "test"))["tests"]
    assert json.loads(convert(plain)["extra_info"]["details"])["contest_date"] == "2025-05-31"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *[({field: None}, f"'{field}' is null") for field in ("question_content", "question_id", "contest_date")],
        *[({field: 3}, f"'{field}' must be text") for field in ("question_content", "question_id", "contest_date")],
        ({"contest_date": "soon"}, "'contest_date' 'soon' is no date"),
        ({"difficulty": 1}, "'difficulty' must be text"),
        ({"platform": []}, "'platform' must be text"),
        ({"private_test_cases": None}, "'private_test_cases' is null"),
        ({"private_test_cases": "[]"}, "'private_test_cases' is empty"),
        ({"private_test_cases": "[1"}, "'private_test_cases' is not JSON"),
        ({"private_test_cases": "?"}, "'private_test_cases' is not base64"),
        ({"private_test_cases": encoded({"input": ""})}, "'private_test_cases' must be a list"),
        ({"private_test_cases": encoded([1])}, "'private_test_cases' must have one testtype"),
        ({"private_test_cases": encoded([{"input": "", "output": ""}])}, "it has None"),
        ({"private_test_cases": encoded([{"testtype": "stdin", "input": ""}])}, "input or output is no text"),
        (
            {"private_test_cases": encoded([*stdin_tests(1), {"input": "", "output": "", "testtype": "functional"}])},
            "must have one testtype",
        ),
        ({"public_test_cases": None}, "'public_test_cases' is null"),
        ({"public_test_cases": "{}"}, "'public_test_cases' must be a list"),
        (
            {"public_test_cases": '[{"input": "1", "output": "1", "testtype": "functional"}]'},
            "different testtypes",
        ),
    ],
)
def test_a_record_that_cannot_be_a_row_names_the_field(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        convert(record(**changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"starter_code": ""}, "'starter_code' is blank"),
        ({"starter_code": "class Solution {"}, "'starter_code' is not Python"),
        ({"starter_code": STARTER.replace("addAll", "sub")}, "'starter_code' does not define 'addAll'"),
        ({"metadata": ""}, "'metadata' is blank"),
        ({"metadata": "{"}, "'metadata' is not JSON"),
        ({"metadata": "[]"}, "'metadata' must name the function"),
        ({"metadata": '{"func_name": "a b"}'}, "'metadata' must name the function"),
        (
            {"private_test_cases": encoded([{"input": "[1", "output": "1", "testtype": "functional"}])},
            "'private_test_cases' is not JSON",
        ),
        (
            {"private_test_cases": encoded([{"input": "1", "output": "one", "testtype": "functional"}])},
            "'private_test_cases' is not JSON",
        ),
    ],
)
def test_a_function_that_cannot_be_called_names_the_field(changes, reason):
    with pytest.raises(Refused, match=reason):
        convert(function_record(**changes))


@pytest.mark.parametrize("value", [("[]",), ["[]"], None], ids=repr)
def test_a_pickle_of_anything_but_a_text_is_refused(value):
    data = base64.b64encode(zlib.compress(pickle.dumps(value))).decode()
    with pytest.raises(Refused, match="'private_test_cases' is a pickle"):
        convert(record(private_test_cases=data))


class _Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_the_command_refuses_a_row_whose_pickle_would_run_code(tmp_path, capsys):
    target = tmp_path / "made by a pickle"
    data = base64.b64encode(zlib.compress(pickle.dumps(_Payload(target)))).decode()
    source = write_lines(tmp_path / "x.jsonl", [record(private_test_cases=data), record("b")])
    assert run(livecodebench.DATASET, ["--input", str(source), "--output", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "refused: train row 0: 'private_test_cases' is a pickle of more than one text" in told
    assert not target.exists()
    assert [row["extra_info"]["index"] for row in rows_of(tmp_path / "out" / "train.parquet")] == [1]


def inputs_of(row):
    return [test["input"] for test in truth(row)["tests"]]


@pytest.mark.parametrize("count", [2, 3, 8, 31])
def test_train_has_half_of_the_tests_and_validation_all_or_the_others(count):
    source = record(private=stdin_tests(count))
    train, everything = inputs_of(convert(source)), inputs_of(convert(source, "test"))
    held_out = options("--split-tests", "held-out")
    rest = inputs_of(convert(source, "test", chosen=held_out))
    assert inputs_of(convert(source, chosen=held_out)) == train
    assert len(train) == (count + 1) // 2
    assert not set(train) & set(rest)
    assert sorted(train + rest) == sorted(everything)
    assert train == [test for test in everything if test in train], "in the order of the source"
    prompts = [
        convert(source, split, chosen=chosen)["prompt"] for split in ("train", "test") for chosen in (None, held_out)
    ]
    assert prompts == prompts[:1] * 4


def test_halves_depend_on_seed_and_problem_alone():
    first, rest = livecodebench.halves(40, "a", 0)
    assert livecodebench.halves(40, "a", 0) == (first, rest)
    assert livecodebench.halves(40, "b", 0)[0] != first
    assert livecodebench.halves(40, "a", 1)[0] != first
    source = record(private=stdin_tests(40))
    assert inputs_of(convert(source, row=3)) == inputs_of(convert(source, row=9))


def test_one_private_test_trains_as_it_is_and_has_no_held_out_half():
    source = record(private=stdin_tests(1))
    assert inputs_of(convert(source)) == inputs_of(convert(source, "test"))
    for split in ("train", "test"):
        with pytest.raises(Refused, match="'private_test_cases' has one test"):
            convert(source, split, chosen=options("--split-tests", "held-out"))


def test_public_tests_are_marked_and_added_on_request():
    source = record(private=[*stdin_tests(1, first=5), {"input": "1 2\n", "output": "3\n", "testtype": "stdin"}])
    source["public_test_cases"] = json.dumps(
        [{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}, *stdin_tests(1, first=8)]
    )
    assert [test["is_public"] for test in truth(convert(source, "test"))["tests"]] == [False, True]
    both = convert(source, "test", chosen=options("--with-public-tests"))
    assert [(test["input"], test["is_public"]) for test in truth(both)["tests"]] == [
        ("8 1\n", True),
        ("5 1\n", False),
        ("1 2\n", True),
    ]
    assert "at most 3 tests (2 of them shown below)" in both["prompt"][0]["content"]


def test_the_time_limit_is_the_same_in_prompt_and_ground_truth():
    row = convert(record(), chosen=options("--time-limit", "2.5"))
    assert "each within 2.5 seconds." in row["prompt"][0]["content"]
    assert truth(row)["time_limit"] == 2.5


@pytest.mark.parametrize("held_on", ["2025-01-31T23:59:59", "2025-06-01T00:00:00"])
def test_other_months_are_left_out_and_take_no_number(held_on):
    chosen = options()
    with pytest.raises(LeftOut):
        convert(record(held_on=held_on), chosen=chosen)
    assert convert(record(), row=1, chosen=chosen)["extra_info"]["index"] == 0
    wider = options("--from", "2024-01-01", "--until", "2026-01-01")
    assert convert(record(held_on=held_on), chosen=wider)["extra_info"]["source_id"] == "abc387_b"


def release(folder, before=3, window=livecodebench.NUM_V6, after=1):
    """A file with problems before, in and after version 6."""
    dates = ["2025-01-04T00:00:00"] * before + ["2025-03-01T00:00:00"] * window + ["2025-07-01T00:00:00"] * after
    records = [record(f"q{n}", day, question_content=f"Problem {n}.") for n, day in enumerate(dates)]
    return write_lines(folder / "test6.jsonl", records)


def test_the_command_counts_version_6_and_keeps_every_row_s_fate(tmp_path):
    release(tmp_path / "hub")
    write_lines(tmp_path / "hub" / "test.jsonl", [record("old", "2023-05-01T00:00:00")])
    status, told, errors = run_module("livecodebench", "--input", tmp_path / "hub", "--output", tmp_path / "out")
    assert (status, "Traceback" in errors) == (0, False)
    assert re.search(r"rows in +135 +135\n", told)
    assert re.search(r"rows refused +0 +0\n", told)
    assert re.search(r"rows left out by --from and --until +4 +4\n", told)
    assert re.search(r"rows out +131 +131\n", told)
    assert re.search(r"tests \(private\) +393 +655\n", told)
    assert re.search(r"problems by stdin +131 +131\n", told)
    assert re.search(r"reward: expected outputs score 1, others 0 +131 +131\n", told)
    assert "note: test: 131 problems from 2025-02-01 to 2025-05-31, as version 6 has" in told
    assert "questions in both splits: 131 (kept in both)" in told
    assert "WARNING" not in told
    train, test = (rows_of(tmp_path / "out" / f"{split}.parquet") for split in ("train", "test"))
    assert [row["extra_info"]["index"] for row in train] == list(range(131))
    assert [row["prompt"] for row in train] == [row["prompt"] for row in test]


def test_another_number_of_problems_is_a_warning(tmp_path, capsys):
    source = release(tmp_path, window=9)
    assert run(livecodebench.DATASET, ["--input", str(source), "--output", str(tmp_path / "out")]) == 0
    assert "WARNING: 9 problems from 2025-02-01 to 2025-05-31, version 6 has 131" in capsys.readouterr().out
    arguments = ["--input", str(source), "--output", str(tmp_path / "out"), "--from", "2025-01-01"]
    assert run(livecodebench.DATASET, arguments) == 0
    told = capsys.readouterr().out
    assert "12 problems from 2025-01-01 to 2025-05-31" in told
    assert "WARNING" not in told


def test_the_paper_s_questions_are_numbers_within_version_6(tmp_path):
    source = release(tmp_path)
    status, _, _ = run_module(
        "livecodebench", "--input", source, "--output", tmp_path / "out", "--single-question", "paper"
    )
    assert status == 0
    for split in ("train", "test"):
        rows = rows_of(tmp_path / "out" / f"{split}.parquet")
        assert [row["extra_info"]["index"] for row in rows] == list(livecodebench.PAPER_QUESTIONS)
        assert [row["extra_info"]["source_id"] for row in rows] == [f"q{3 + n}" for n in livecodebench.PAPER_QUESTIONS]
    assert len(livecodebench.PAPER_QUESTIONS) == 19


def test_the_paper_s_word_needs_version_6(tmp_path, capsys):
    source = release(tmp_path)
    arguments = ["--input", str(source), "--output", str(tmp_path / "out"), "--single-question", "paper"]
    assert run(livecodebench.DATASET, [*arguments, "--from", "2025-01-01"]) == 2
    assert "leave out --from and --until" in capsys.readouterr().err
    small = release(tmp_path / "small", window=9)
    assert run(livecodebench.DATASET, ["--input", str(small), *arguments[2:]]) == 2
    assert "no row has source_id or index 10, 43" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--time-limit", "0"],
        ["--time-limit", "nan"],
        ["--from", "May"],
        ["--until", "2025-01-01"],
        ["--split-tests", "x"],
    ],
)
def test_options_that_cannot_work_are_one_line(tmp_path, capsys, arguments):
    source = release(tmp_path, window=2)
    assert run(livecodebench.DATASET, ["--input", str(source), "--output", str(tmp_path / "out"), *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_limit_changes_no_problem_s_tests_or_number(tmp_path, capsys):
    source = release(tmp_path, window=30)

    def rows(name, *arguments):
        folder = tmp_path / name
        assert run(livecodebench.DATASET, ["--input", str(source), "--output", str(folder), *arguments]) == 0
        return {row["extra_info"]["source_id"]: row for row in rows_of(folder / "train.parquet")}

    everything = rows("all", "--seed", "5")
    drawn = rows("drawn", "--seed", "5", "--limit", "7")
    assert len(drawn) == 7
    assert all(everything[name] == row for name, row in drawn.items())
    first = rows("first", "--limit", "2")
    assert list(first) == ["q3", "q4"]
    assert rows("other", "--seed", "6")["q3"] != everything["q3"]


def test_the_hub_s_parquet_gives_the_same_rows(tmp_path, capsys):
    source = release(tmp_path, window=4)
    records = [json.loads(line) for line in source.read_text().splitlines()]
    for each in records:
        each["contest_date"] = datetime.fromisoformat(each["contest_date"])
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "data" / "test-00000-of-00001.parquet")
    assert run(livecodebench.DATASET, ["--input", str(source), "--output", str(tmp_path / "a")]) == 0
    source.unlink()
    assert run(livecodebench.DATASET, ["--input", str(tmp_path), "--output", str(tmp_path / "b")]) == 0
    assert rows_of(tmp_path / "a" / "test.parquet") == rows_of(tmp_path / "b" / "test.parquet")


def test_version_6_is_february_to_may_2025():
    chosen = options()
    assert (chosen.since, chosen.until) == (date(2025, 2, 1), date(2025, 5, 31))


def test_the_help_names_the_word_for_the_papers_questions(capsys):
    with pytest.raises(SystemExit):
        livecodebench.run(livecodebench.DATASET, ["--help"])
    assert "paper: the 19 questions of arXiv" in " ".join(capsys.readouterr().out.split())
