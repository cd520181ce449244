# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import re

import pytest

from data_preprocess import dapo_math
from data_preprocess.dapo_math import INSTRUCTION_AFTER, INSTRUCTION_BEFORE
from data_preprocess.dataset import Place, Refused
from data_preprocess.round_trip import check_reward, responses_of

PROBLEM = "Find the value of $a + b + c$."


def record(problem=PROBLEM, answer="34", identifier="9a9b6eb4-a1cb-49d1-8c1e-62eaf2f74079", **changes):
    return {
        "data_source": "math_dapo",
        "prompt": [{"content": f"{INSTRUCTION_BEFORE}{problem}{INSTRUCTION_AFTER}", "role": "user"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": answer, "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": identifier},
    } | changes


def settings(deduplicate=False, strip=False):
    return argparse.Namespace(deduplicate=deduplicate, strip_instruction=strip, first_rows={})


def convert(source, row=0, options=None):
    return dapo_math.convert(source, Place("train", row), options or settings())


def test_a_record_becomes_exactly_this_row():
    assert convert(record(), row=3) == {
        "data_source": "math/dapo",
        "prompt": [{"role": "user", "content": f"{INSTRUCTION_BEFORE}{PROBLEM}{INSTRUCTION_AFTER}"}],
        "privileged_context": None,
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "34"},
        "extra_info": {
            "split": "train",
            "index": 3,
            "source_id": "9a9b6eb4-a1cb-49d1-8c1e-62eaf2f74079",
            "details": None,
        },
    }


def test_the_instruction_is_replaced_only_when_asked_for():
    [message] = convert(record(), options=settings(strip=True))["prompt"]
    boxed = "Please reason step by step, and put your final answer within \\boxed{}."
    assert message["content"] == f"{PROBLEM}\n\n{boxed}"
    for content in (PROBLEM, INSTRUCTION_BEFORE + PROBLEM, PROBLEM + INSTRUCTION_AFTER):
        with pytest.raises(Refused, match="'prompt' lacks the instruction"):
            convert(record(prompt=[{"role": "user", "content": content}]), options=settings(strip=True))
    with pytest.raises(Refused, match="'prompt' holds no problem"):
        convert(record(" "), options=settings(strip=True))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": None}, "'prompt' must be a list of one"),
        ({"prompt": "Why?"}, "'prompt' must be a list of one"),
        ({"prompt": []}, "'prompt' must be a list of one"),
        ({"prompt": ["Why?"]}, "'prompt' must be a list of one"),
        ({"prompt": [{"role": "user", "content": "a"}] * 2}, "'prompt' must be a list of one"),
        ({"prompt": [{"role": "system", "content": "a"}]}, "'prompt' has role 'system'"),
        ({"prompt": [{"content": "a"}]}, "'prompt' has role None"),
        ({"prompt": [{"role": "user"}]}, "'prompt': 'content' is missing"),
        ({"prompt": [{"role": "user", "content": " "}]}, "'prompt': 'content' is blank"),
        ({"prompt": [{"role": "user", "content": 5}]}, "'prompt': 'content' must be text"),
        ({"reward_model": None}, "'reward_model' must be an object"),
        ({"reward_model": {"style": "rule"}}, "'ground_truth' is missing"),
        ({"reward_model": {"ground_truth": ""}}, "'ground_truth' is blank"),
        ({"reward_model": {"ground_truth": 34}}, "'ground_truth' must be text"),
        ({"extra_info": None}, "'extra_info' must be an object"),
        ({"extra_info": {"index": [1]}}, "'index' must be text"),
    ],
)
def test_a_record_that_cannot_be_a_row_says_why(changes, reason):
    with pytest.raises(Refused, match=re.escape(reason)):
        convert(record(**changes))


def test_a_question_is_kept_once_and_the_same_one_in_a_second_reading():
    options = settings(deduplicate=True)
    for _ in range(2):
        assert convert(record(), 0, options)["extra_info"]["index"] == 0
        assert convert(record("Another?"), 1, options)["extra_info"]["index"] == 1
        with pytest.raises(Refused, match="asks what row 0 asks$"):
            convert(record(identifier="x"), 2, options)
        with pytest.raises(Refused, match="asks what row 0 asks with another answer"):
            convert(record(answer="35"), 3, options)


@pytest.mark.parametrize("strip", [True, False])
@pytest.mark.parametrize("answer", ["34", "\\frac{1}{2}"])
def test_the_gold_response_has_the_form_that_the_prompt_asks_for(strip, answer):
    row = convert(record(answer=answer), options=settings(strip=strip))
    responses = responses_of(dapo_math.DATASET, row, record())
    check_reward(row, responses)
    assert ("\nAnswer: $" in responses.gold(row)) != strip
    assert ("\\boxed{" in responses.gold(row)) == strip


def repeated(times):
    questions = [record(f"Question {number}?", str(number), f"id-{number}") for number in range(4)]
    questions[3]["reward_model"]["ground_truth"] = "\\frac{1}{2}"
    return questions * times


def test_the_command_keeps_and_counts_repeats(run_module):
    ran = run_module("dapo_math", {"data/dapo-math-17k.parquet": repeated(5)})
    assert ran.status == 0, ran.told
    assert list(ran.rows) == ["train"]
    lines = ["rows in +20", "rows out +20", "questions asked more than once +4", "answers that are no whole number +5"]
    lines += ["reward: gold answer scores 1, a wrong one 0 +20", "prompts with upstream's instruction +20"]
    for line in lines:
        assert re.search(rf"^ *{line}$", ran.told, flags=re.MULTILINE), line
    assert "upstream has no test split: only train.parquet is written" in ran.told


@pytest.mark.parametrize("limit", [[], ["--limit", "3"], ["--limit", "3", "--seed", "1"]])
def test_the_command_drops_repeats_and_says_how_many(run_module, limit):
    ran = run_module(
        "dapo_math", {"dapo-math-17k.parquet": repeated(5)}, "--deduplicate", "--strip-instruction", *limit
    )
    assert ran.status == 0, ran.told
    rows = ran.rows["train"]
    assert len({row["prompt"][0]["content"] for row in rows}) == len(rows) == (3 if limit else 4)
    assert all("Answer:" not in row["prompt"][0]["content"] for row in rows)
    repeats = r"asks what an earlier row asks \(--deduplicate\) +16"
    for line in ("rows in +20", repeats, "questions asked more than once +0"):
        assert re.search(rf"^ *{line}$", ran.told, flags=re.MULTILINE), line
