# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The published splits, where a copy is at hand: VERL_SDPO_DATA names a folder with sciknoweval/<domain>/*.json."""

import itertools
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_preprocess import sciknoweval
from data_preprocess.command import run
from verl_sdpo.rewards import compute_score

DATA = Path(os.environ.get("VERL_SDPO_DATA", "no-data")) / "sciknoweval"
# Sizes of the published splits (train, test); arXiv 2601.20802, section 3.
SIZES = {"biology": (450, 50), "chemistry": (1890, 210), "material": (841, 94), "physics": (720, 80)}
PRESENT = [domain for domain in SIZES if (DATA / domain).is_dir()]

pytestmark = pytest.mark.skipif(not PRESENT, reason="set VERL_SDPO_DATA to a folder with sciknoweval/<domain>")


@pytest.fixture(params=PRESENT or ["absent"])
def converted(request, tmp_path, capsys):
    assert run(sciknoweval.DATASET, ["--input", str(DATA / request.param), "--output", str(tmp_path)]) == 0
    splits = {name: pq.read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("train", "test")}
    return request.param, splits, capsys.readouterr().out


def test_every_published_row_survives_with_its_texts(converted):
    domain, splits, _ = converted
    assert (len(splits["train"]), len(splits["test"])) == SIZES[domain]
    for name, rows in splits.items():
        published = [json.loads(line) for line in (DATA / domain / f"{name}.json").read_text().splitlines()]
        assert [[message["content"] for message in row["prompt"]] for row in rows] == [
            [source["system"], source["prompt"]] for source in published
        ]
        assert [row["reward_model"]["ground_truth"] for row in rows] == [source["answer"] for source in published]


def test_gold_answers_score_one_and_every_other_letter_zero(converted):
    _, splits, _ = converted
    for row in [*splits["train"], *splits["test"]]:
        gold = row["reward_model"]["ground_truth"]
        for letter in json.loads(row["extra_info"]["details"])["options"]:
            response = f"<reasoning>\nBecause.\n</reasoning>\n<answer>\n{letter}\n</answer>"
            outcome = compute_score(row["data_source"], response, gold, row["extra_info"])
            assert outcome["score"] == float(letter == gold)
            assert outcome["incorrect_format"] == 0.0


def test_shared_questions_are_reported(converted):
    domain, _, told = converted
    shared = {"material": 1, "biology": 0, "chemistry": 0}.get(domain)
    if shared is None:
        pytest.skip(f"the overlap of {domain} is not known")
    assert f"questions in both splits: {shared} " in told
    assert told.count("overlap: ") == shared


# The published files put these texts around question and options.
DESCRIPTION_END, PROMPT_END = " The solution will be evaluated in a mcq environment.", "\nPlease reason step by step."


def raw_record(source, domain):
    """The record of the hub that a published one was made of."""
    question = source["description"].removesuffix(DESCRIPTION_END)
    assert source["prompt"].startswith(f"{question}\n\nA: ")
    assert source["prompt"].endswith(PROMPT_END)
    rest, texts = source["prompt"][len(question) + 2 : -len(PROMPT_END)].removeprefix("A: "), []
    for letter in "BCDE":
        text, found, rest = rest.partition(f"\n{letter}: ")
        texts.append(text)
        if not found:
            break
    return {
        "prompt": {"default": "Please directly give the answer without any explanation."},
        "question": question,
        "choices": {"text": texts, "label": list("ABCDE"[: len(texts)])},
        "answerKey": source["answer"],
        "type": f"mcq-{len(texts)}-choices",
        "domain": domain.capitalize(),
        "details": {"level": "L3", "task": "t", "subtask": "s", "source": "x"},
        "answer": "",
    }


def as_on_the_hub(published, domain):
    """The published records in the hub's form and order, among others of each kind that the splits leave out."""
    records = [raw_record(source, domain) for source in sorted(published, key=lambda source: source["idx"])]
    other = {"domain": "Astronomy"}, {"details": {"level": "L1"}}, {"type": "true_or_false"}
    strays = itertools.cycle(records[0] | changes for changes in other)
    return list(itertools.chain.from_iterable(zip(records, strays)))


def content(row):
    """All of a row but where it stood in its file."""
    return row | {"extra_info": row["extra_info"] | {"index": None}}


@pytest.mark.parametrize("domain", PRESENT)
def test_the_hub_s_records_give_the_published_splits_back(domain, tmp_path, capsys):
    splits = {
        name: [json.loads(line) for line in (DATA / domain / f"{name}.json").read_text().splitlines()]
        for name in ("train", "test")
    }
    (tmp_path / "test.jsonl").write_text(
        "".join(f"{json.dumps(record)}\n" for record in as_on_the_hub(itertools.chain(*splits.values()), domain))
    )
    runs = {"raw": ["--input", str(tmp_path), "--domain", domain], "published": ["--input", str(DATA / domain)]}
    rows, told = {}, {}
    for name, arguments in runs.items():
        assert run(sciknoweval.DATASET, [*arguments, "--output", str(tmp_path / name)]) == 0
        told[name] = capsys.readouterr().out
        rows[name] = {split: pq.read_table(tmp_path / name / f"{split}.parquet").to_pylist() for split in splits}
    train_size, test_size = SIZES[domain]
    assert f"test questions found: {test_size} of {test_size}\n" in told["raw"]
    assert f"in both splits: {train_size + test_size}, as published\n" in told["raw"]
    assert "WARNING" not in told["raw"]
    for split in splits:
        by_number = sorted(rows["published"][split], key=lambda row: int(row["extra_info"]["source_id"]))
        assert list(map(content, rows["raw"][split])) == list(map(content, by_number))
