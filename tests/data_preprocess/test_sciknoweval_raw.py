# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SciKnowEval from records as the hub has them, written here; the real questions are in test_published_sciknoweval."""

import hashlib
import json
import random
import re
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_preprocess import sciknoweval, sciknoweval_raw
from data_preprocess.sources import open_sources

PROMPT = (
    'Given a question and four options, please select the right answer. Your answer should be "A", "B", "C" or "D". '
    "Please directly give the answer without any explanation."
)
# To the character, as the published files have it.
SYSTEM = (
    "\nGiven a question and four options, please select the right answer. Respond in the following format:\n"
    "<reasoning>\n...\n</reasoning>\n<answer>\n...\n</answer>\n\nFor the answer, only output the letter corresponding "
    "to the correct option (A, B, C, or D), and nothing else. Do not restate the answer text. For example, if the "
    'answer is "A", just output:\n<answer>\nA\n</answer>\n'
)


def raw(
    question="Which gas is heaviest?", options=("radon", "helium"), key="A", *, domain="Physics", level="L3", **new
):
    """A record with the hub's fields."""
    return {
        "prompt": {"default": PROMPT},
        "question": question,
        "choices": {"text": list(options), "label": list("ABCDEFGHIJKLM"[: len(options)])},
        "answerKey": key,
        "type": f"mcq-{len(options)}-choices",
        "domain": domain,
        "details": {"level": level, "task": "t", "subtask": "s", "source": "x"},
        "answer": "",
    } | new


OTHERS = [
    raw(domain="Chemistry"),
    raw(level="L2"),
    raw(type="true_or_false", choices={"text": [], "label": []}, answerKey=""),
    raw(type="open-ended-qa", choices={"text": [], "label": []}, answerKey="", answer="A long one."),
]


def questions(number, **changes):
    return [raw(f"Question {row}?", **changes) for row in range(number)]


@pytest.fixture
def ours(monkeypatch):
    """Puts questions of our own in the place of the published ones: ``ours({number: prompt or None}, in all)``."""

    def use(test, in_all, domain="physics"):
        hashes = {
            number: hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16] if text else None
            for number, text in test.items()
        }
        monkeypatch.setattr(sciknoweval_raw, "_test_questions", lambda: {domain: hashes})
        monkeypatch.setitem(sciknoweval_raw.NUM_QUESTIONS, domain, in_all)

    return use


@pytest.fixture
def convert_raw(tmp_path, capsys):
    def convert(records, *arguments, name="sciknoweval_test_v2.jsonl", folder="."):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
        where = ["--input", str(tmp_path / "in" / folder), "--output", str(tmp_path / "out")]
        status = sciknoweval.run(sciknoweval.DATASET, [*where, *arguments])
        told = capsys.readouterr()
        rows = {file.stem: pq.read_table(file).to_pylist() for file in (tmp_path / "out").glob("*.parquet")}
        return status, rows, told.out + told.err

    return convert


def prompt_of(question, *options):
    lines = [f"{letter}: {text}" for letter, text in zip("ABCD", options, strict=False)]
    return "\n".join([question, "", *lines, "Please reason step by step."])


def test_a_record_becomes_the_published_row(ours, convert_raw):
    ours({0: None}, 2)
    odd = raw("A: is\n\nwhat?\n", [" a\n", "b\n", "c", "d\nx"], "D")
    status, rows, _ = convert_raw([raw(), *OTHERS, odd], "--domain", "Physics")
    assert status == 0
    [row] = rows["train"]
    assert row["prompt"] == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "A: is\n\nwhat?\n\n\nA:  a\n\nB: b\n\nC: c\nD: d\nx\nPlease reason step by step."},
    ]
    assert row["reward_model"]["ground_truth"] == "D"
    assert row["data_source"] == "sciknoweval/physics"
    assert row["extra_info"] == {"split": "train", "index": 5, "source_id": "1", "details": '{"options": "ABCD"}'}
    assert [row["extra_info"]["source_id"] for row in rows["test"]] == ["0"]


def test_every_record_that_is_not_used_has_its_reason(ours, convert_raw):
    ours({1: None}, 6)
    # The refused one is of the domain, so it has a number, as it had when the splits were drawn.
    records = [OTHERS[0], raw(choices={"text": ["a"], "label": ["B"]}), *OTHERS[1:], *questions(5)]
    status, rows, told = convert_raw(records, "--domain", "physics")
    assert status == 0
    assert re.search(r"rows in +10 +10\n", told)
    assert re.search(r"rows left out by --domain +1 +1\n", told)
    assert re.search(r"rows left out by level, which is not L3 +1 +1\n", told)
    assert re.search(r"rows left out by type, which is not multiple choice +2 +2\n", told)
    assert re.search(r"rows left out by split, which is the other one +1 +4\n", told)
    assert re.search(r"rows refused +1 +1\n", told)
    assert "row 1: 'choices.label' must name each text" in told
    assert [row["extra_info"]["source_id"] for row in rows["train"]] == ["2", "3", "4", "5"]
    assert [row["extra_info"]["source_id"] for row in rows["test"]] == ["1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"choices": None}, "'choices' must be an object"),
        ({"choices": {"text": "ab", "label": "AB"}}, "'choices.text' must be"),
        ({"choices": {"text": ["a", 2], "label": ["A", "B"]}}, "'choices.text' must be"),
        ({"choices": {"text": ["a", "b"], "label": ["A"]}}, "'choices.label' must name"),
        ({"choices": {"text": ["a", "b"]}}, "'choices.label' must name"),
        ({"choices": {"text": ["a"], "label": ["A"]}}, "needs 2 to 10 options"),
        ({"question": " "}, "'question' is blank"),
        ({"key": "C"}, "answer 'C' is not one of"),
        ({"key": ""}, "'answerKey' is blank"),
        ({"details": None}, "'details.level' is missing"),
        ({"domain": None}, "'domain' is null"),
    ],
)
def test_a_record_that_cannot_be_a_row_is_refused_in_both_splits(ours, convert_raw, changes, reason):
    ours({0: None}, 3)
    _, _, told = convert_raw([*questions(2), raw(**{"question": "Odd?"} | changes)], "--domain", "physics")
    assert len(re.findall(f"refused: (?:train|test) row 2: {re.escape(reason)}", told)) == 2


def test_fingerprints_choose_the_test_questions_whatever_their_order(ours, convert_raw):
    records = questions(20, domain="Biology")
    chosen = {number: prompt_of(f"Question {number}?", "radon", "helium") for number in (3, 8, 15)}
    ours(chosen, 20, "biology")
    status, rows, told = convert_raw(records, "--domain", "biology")
    assert status == 0
    assert [row["extra_info"]["source_id"] for row in rows["test"]] == ["3", "8", "15"]
    assert len(rows["train"]) == 17
    assert "note: test: test questions found: 3 of 3\n" in told
    assert "note: train: questions of level L3 in both splits: 20, as published\n" in told
    assert "WARNING" not in told
    random.Random(1).shuffle(records)
    _, rows, told = convert_raw(records, "--domain", "biology")
    assert {row["prompt"][-1]["content"] for row in rows["test"]} == set(chosen.values())
    assert "note: test: test questions found: 3 of 3\n" in told
    assert re.search(r"WARNING: \d of them have another number than in the published files", told)


def test_records_that_are_not_the_published_ones_are_warned_of(ours, convert_raw):
    ours({0: prompt_of("Question 0?", "radon", "helium"), 5: prompt_of("Other?", "a", "b")}, 10, "biology")
    status, rows, told = convert_raw(questions(11, domain="Biology"), "--domain", "biology")
    assert status == 0
    assert "note: test: WARNING: test questions found: 1 of 2: test is not the published split\n" in told
    assert "WARNING: questions of level L3 in both splits: 11, published were 10" in told
    assert (len(rows["train"]), len(rows["test"])) == (10, 1)


def test_a_question_asked_twice_is_tested_once_and_reported(ours, convert_raw):
    ours({1: prompt_of("Twice?", "radon", "helium")}, 4, "material")
    records = [raw("Once?"), raw("Twice?"), raw("Twice?", key="B"), raw("Thrice?")]
    records = [record | {"domain": "Material"} for record in records]
    status, rows, told = convert_raw(records, "--domain", "material")
    assert status == 0
    assert [row["extra_info"]["source_id"] for row in rows["test"]] == ["1"]
    assert [row["extra_info"]["source_id"] for row in rows["train"]] == ["0", "2", "3"]
    assert "questions in both splits: 1 (kept in both)" in told
    assert "overlap: train row 2 (answer B) = test row 1 (answer A)\n" in told


def test_a_limit_drawn_with_a_seed_reads_twice_and_changes_no_split(ours, convert_raw):
    ours({3: None, 4: None}, 30)
    _, whole, _ = convert_raw(questions(30), "--domain", "physics")
    _, drawn, _ = convert_raw(questions(30), "--domain", "physics", "--limit", "5", "--seed", "1")
    assert [len(drawn[split]) for split in ("train", "test")] == [5, 2]
    for split, rows in drawn.items():
        assert all(row in whole[split] for row in rows)


def test_physics_is_drawn_as_the_others_and_says_so(convert_raw):
    status, rows, told = convert_raw(questions(800), "--domain", "physics")
    assert status == 0
    assert (len(rows["train"]), len(rows["test"])) == (720, 80)
    assert "the 80 test questions of physics are chosen by their numbers" in told
    assert "could not be checked" in told
    assert "questions of level L3 in both splits: 800, as published" in told


@pytest.mark.parametrize(
    ("domain", "size"), [("biology", 500), ("chemistry", 2100), ("material", 935), ("physics", 800)]
)
def test_the_numbers_are_those_that_the_published_seed_draws(domain, size):
    """As train_test_split of datasets does with seed 42 and a tenth, rounded up, for test."""
    drawn = np.random.default_rng(42).permutation(size)[: -(-size // 10)]
    listed = sciknoweval_raw._test_questions()[domain]
    assert set(listed) == set(drawn.tolist())
    assert all((value is None) == (domain == "physics") for value in listed.values())
    assert domain == "physics" or len(set(listed.values())) == len(listed)
    assert sciknoweval_raw.NUM_QUESTIONS[domain] == size


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("test.jsonl", "."),
        ("test.jsonl", "test.jsonl"),
        ("v2/sciknoweval_test_v2.jsonl", "v2/sciknoweval_test_v2.jsonl"),
        ("data/v2/sciknoweval_test_v2.jsonl", "."),
        ("sciknoweval_physics_test.jsonl", "."),
    ],
)
def test_the_form_is_found_by_the_fields_wherever_the_file_lies(ours, convert_raw, name, folder):
    ours({0: None}, 2)
    status, rows, told = convert_raw(questions(2), "--domain", "physics", name=name, folder=folder)
    assert status == 0, told
    assert [len(rows[split]) for split in ("train", "test")] == [1, 1]


def test_one_split_alone_may_be_read(ours, convert_raw):
    ours({0: None}, 3)
    _, rows, _ = convert_raw(questions(3), "--domain", "physics", "--split", "train", name="test.jsonl")
    assert list(rows) == ["train"]
    assert len(rows["train"]) == 2


def test_the_domain_is_the_folder_s_name_or_has_to_be_given(ours, convert_raw):
    ours({0: None}, 2)
    status, _, told = convert_raw(questions(2))
    assert status == 2
    assert "error: the input has all domains: give --domain biology, chemistry, material, physics\n" in told
    assert "--domain history: must be biology" in convert_raw(questions(2), "--domain", "history")[2]
    name = "physics/test.jsonl"
    assert convert_raw(questions(2), name=name, folder="physics")[0] == 0


def test_without_input_the_hub_is_asked_for_its_only_split(ours, monkeypatch, tmp_path, capsys):
    ours({0: None}, 2)
    asked = []

    class Builder:
        hash = "cd" * 20

        def download_and_prepare(self):
            pass

        def as_dataset(self, split):
            asked.append(split)
            return questions(2)

    class Hub:
        @staticmethod
        def load_dataset_builder(*names, **options):
            asked.append((names, options))
            return Builder()

    monkeypatch.setitem(sys.modules, "datasets", Hub)
    assert sciknoweval.run(sciknoweval.DATASET, ["--domain", "physics", "--output", str(tmp_path)]) == 0
    assert set(map(str, asked)) == {str((("hicai-zju/SciKnowEval", "v2"), {"revision": None})), "test"}
    assert "questions of level L3 in both splits: 2, as published" in capsys.readouterr().out
    assert open_sources(sciknoweval.RAW, None, "train", streaming=False, max_row_bytes=99)[0].split == "train"
