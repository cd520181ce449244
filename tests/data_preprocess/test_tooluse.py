# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import os
import re
from pathlib import Path

import pytest

from data_preprocess import tooluse
from data_preprocess.dataset import Place, Refused
from data_preprocess.round_trip import check_reward, responses_of
from tests.data_preprocess.command_line import rows_of, run_module, write_lines

PUBLISHED = Path(os.environ.get("VERL_SDPO_DATA", "no-data")) / "tooluse" / "test.json"
PROMPT = "Use the tools.\nNone of them is free.\n\nBegin!\nQuestion: what is the weather in Paris, and the time?"
CALLS = [
    {"Action": "getWeather", "Action_Input": '{"city": "Paris", "days": {"from": 1, "to": 1.50}}'},
    {"Action": "[Optional]getTime", "Action_Input": "{}"},
]


def record(calls=CALLS, **changes):
    return {
        "prompt": PROMPT,
        "description": PROMPT,
        "idx": 4046,
        "dataset": "tooluse",
        "system": None,
        "answer": json.dumps(calls),
        "tests": None,
        "kind": "tooluse",
        "elo": 1500,
    } | changes


def convert(source, row=2):
    return tooluse.convert(source, Place("test", row), argparse.Namespace())


def test_a_question_becomes_a_row_with_its_calls_in_order():
    assert convert(record()) == {
        "data_source": "tooluse",
        "prompt": [{"role": "user", "content": PROMPT}],
        "privileged_context": None,
        "ability": "tool_use",
        "reward_model": {"style": "rule", "ground_truth": json.dumps(CALLS)},
        "extra_info": {"split": "test", "index": 2, "source_id": "4046", "details": None},
    }


@pytest.mark.parametrize("system", [None, "None", " "])
def test_the_word_none_is_no_system_prompt(system):
    assert [turn["role"] for turn in convert(record(system=system))["prompt"]] == ["user"]
    assert convert(record(system="Be brief."))["prompt"][0] == {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": None}, "'prompt' is null"),
        ({"prompt": ""}, "'prompt' is blank"),
        ({"prompt": 1}, "'prompt' must be text"),
        ({"system": 1}, "'system' must be text"),
        ({"answer": None}, "'answer' is null"),
        ({"answer": CALLS}, "'answer' must be text"),
        ({"answer": "[{"}, "'answer' is not JSON"),
        ({"answer": "{}"}, "'answer' must be a JSON list"),
        ({"answer": "[]"}, "'answer' must be a JSON list"),
        ({"calls": ["getTime"]}, "'answer': call 0 must have"),
        ({"calls": [CALLS[0], {"Action": "getTime"}]}, "'answer': call 1 must have"),
        ({"calls": [CALLS[1] | {"Thought": "x"}]}, "'answer': call 0 must have"),
        ({"calls": [CALLS[1] | {"Action": " "}]}, "'answer': Action of call 0 must be a name"),
        ({"calls": [CALLS[1] | {"Action": None}]}, "'answer': Action of call 0 must be a name"),
        ({"calls": [CALLS[1] | {"Action_Input": {}}]}, "Action_Input of call 0 must be the text"),
        ({"calls": [CALLS[1] | {"Action_Input": "[1]"}]}, "Action_Input of call 0 must be the text"),
        ({"calls": [CALLS[1] | {"Action_Input": "{'a': 1}"}]}, "Action_Input of call 0 is not JSON"),
    ],
)
def test_a_record_that_cannot_be_a_row_names_the_field(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        convert(record(**changes))


def test_the_gold_response_has_every_call_and_the_wrong_one_another_name():
    row = convert(record())
    responses = responses_of(tooluse.DATASET, row, record())
    gold, wrong = responses.gold(row), responses.wrong(row)
    assert re.findall("Action: (.*)\nAction Input: (.*)", gold) == [(c["Action"], c["Action_Input"]) for c in CALLS]
    check_reward(row, responses)
    assert re.findall("Action: (.*)", wrong) == ["getWeather", "not_[Optional]getTime"]


def test_the_command_writes_both_splits(tmp_path):
    write_lines(tmp_path / "in" / "train.json", [record(), record(answer="?"), record(prompt="Other?")])
    write_lines(tmp_path / "in" / "test.json", [record(calls=CALLS[:1])])
    status, told, _ = run_module("tooluse", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert status == 0
    assert re.search(r"rows in +3 +1\n", told)
    assert re.search(r"rows refused +1 +0\n", told)
    assert re.search(r"rows out +2 +1\n", told)
    assert re.search(r"questions with 1 call +0 +1\n", told)
    assert re.search(r"questions with 2 calls +2 +0\n", told)
    assert re.search(r"reward: gold answer scores 1, a wrong one 0 +2 +1\n", told)
    assert "refused: train row 1: 'answer' is not JSON" in told
    assert "questions in both splits: 1 (kept in both)" in told
    assert len(rows_of(tmp_path / "out" / "train.parquet")) == 2


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="set VERL_SDPO_DATA to a folder with tooluse/test.json")
def test_every_published_question_converts_with_its_answer(tmp_path):
    status, told, _ = run_module("tooluse", "--input", PUBLISHED, "--output", tmp_path)
    assert status == 0
    assert re.search(r"rows refused +0\n", told)
    assert re.search(r"rows out +68\n", told)
    assert re.search(r"reward: gold answer scores 1, a wrong one 0 +68\n", told)
    sources = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
    rows = rows_of(tmp_path / "test.parquet")
    for row, source in zip(rows, sources, strict=True):
        assert row["prompt"] == [{"role": "user", "content": source["prompt"]}]
        assert json.loads(row["reward_model"]["ground_truth"]) == json.loads(source["answer"])
        assert row["extra_info"]["source_id"] == str(source["idx"])
