# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import re
from collections import Counter

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from data_preprocess import report, sciknoweval
from data_preprocess.command import run
from data_preprocess.dataset import Place, Refused
from verl_sdpo.rewards import compute_score

SYSTEM = (
    "\nGiven a question and four options, please select the right answer. Answer in <answer> tags with only the letter "
    '(A, B, C, or D). For example, if the answer is "A", just output:\n<answer>\nA\n</answer>\n'
)


def record(question="Which metal is liquid at 20 degrees Celsius?", options=("iron", "mercury"), answer="B", **changes):
    lines = [f"{letter}: {text}" for letter, text in zip("ABCDEFGHIJKL", options, strict=False)]
    prompt = "\n".join([question, "", *lines, "Please reason step by step."])
    return {"prompt": prompt, "system": SYSTEM, "answer": answer, "idx": 17, "kind": "mcq"} | changes


def convert(source, fits_system=False, index=3):
    options = argparse.Namespace(domain="chemistry", fit_system_prompt=fits_system, published=None)
    return sciknoweval.convert(source, Place("train", index), options)


def main(*arguments):
    return run(sciknoweval.DATASET, list(map(str, arguments)))


def test_a_record_becomes_a_row_with_its_published_texts():
    source = record()
    row = convert(source)
    assert row["data_source"] == "sciknoweval/chemistry"
    assert row["prompt"] == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": source["prompt"]},
    ]
    assert row["reward_model"] == {"style": "rule", "ground_truth": "B"}
    assert row["privileged_context"] is None
    assert row["extra_info"] == {"split": "train", "index": 3, "source_id": "17", "details": '{"options": "AB"}'}


@pytest.mark.parametrize("num_options", range(2, 11))
def test_two_to_ten_options_are_found(num_options):
    assert sciknoweval.option_letters(record(options=["x"] * num_options)["prompt"]) == "ABCDEFGHIJ"[:num_options]


def test_lines_that_only_look_like_options_do_not_count():
    question = "C: is a carbon atom here.\nA: was an earlier list\nB: of\nC: three\nWhich weighs more?"
    assert sciknoweval.option_letters(record(question, ["1", "2"])["prompt"]) == "AB"
    assert sciknoweval.option_letters("Q\nA: 1\nB: 2\nD: 4\nC(=O)N") == "AB"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": " "}, "'prompt' is blank"),
        ({"prompt": None}, "'prompt' is null"),
        ({"prompt": ["x"]}, "'prompt' must be text"),
        ({"prompt": "Why?\nBecause."}, "2 to 10 options"),
        ({"options": ["x"] * 11}, "2 to 10 options"),
        ({"options": ["x"]}, "2 to 10 options"),
        ({"answer": "C"}, "not one of its options"),
        ({"answer": ""}, "not one of its options"),
        ({"answer": "AB"}, "not one of its options"),
        ({"answer": None}, "not one of its options"),
        ({"system": 5}, "'system' must be text"),
    ],
)
def test_a_record_that_cannot_be_a_row_says_why(changes, reason):
    with pytest.raises(Refused, match=reason):
        convert(record(**changes))


def test_a_system_prompt_with_another_number_of_options_is_noticed_and_can_be_fitted():
    assert sciknoweval.states_other_number(SYSTEM, "AB")
    assert not sciknoweval.states_other_number(SYSTEM, "ABCD")
    assert not sciknoweval.states_other_number(None, "AB")
    fitted = convert(record(), fits_system=True)["prompt"][0]["content"]
    assert fitted == SYSTEM.replace("four", "two").replace("(A, B, C, or D)", "(A or B)")
    assert sciknoweval.fit_system_prompt(SYSTEM, "ABCD") == SYSTEM
    assert "three options" in sciknoweval.fit_system_prompt(SYSTEM, "ABC")
    assert "(A, B, or C)" in sciknoweval.fit_system_prompt(SYSTEM, "ABC")


def _write(folder, train, test):
    folder.mkdir()
    for name, records in (("train", train), ("test", test)):
        (folder / f"{name}.json").write_text("\n".join(map(json.dumps, records)) + "\n")
    return folder


def test_the_command_writes_both_splits_and_tells_every_row_s_fate(tmp_path, capsys):
    train = [record("One?"), record("Two?"), record("One?  "), record("Three?", answer="Q"), record("Four?", "wxyz")]
    test = [record("Two?", answer="A"), record("Five?")]
    folder = _write(tmp_path / "physics", train, test)
    assert main("--input", folder, "--output", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert re.search(r"rows in +5 +2\n", told)
    assert re.search(r"rows refused +1 +0\n", told)
    assert re.search(r"rows out +4 +2\n", told)
    assert re.search(r"questions with 2 options +3 +2\n", told)
    assert re.search(r"questions with 4 options +1 +0\n", told)
    assert re.search(r"system prompt names another number of options +3 +2\n", told)
    assert "refused: train row 3: answer 'Q'" in told
    assert "duplicate: train row 0 (answer B) = train row 2 (answer B)" in told
    assert "overlap: train row 1 (answer B) = test row 0 (answer A)" in told
    rows = pq.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    assert [row["extra_info"]["index"] for row in rows] == [0, 1, 2, 4]
    assert {row["data_source"] for row in rows} == {"sciknoweval/physics"}
    source = pq.read_schema(tmp_path / "out" / "test.parquet").metadata[b"verl_sdpo.source"]
    assert re.fullmatch(rb"sciknoweval/physics test.json sha256:[0-9a-f]{64}", source)


def test_one_split_of_one_file_is_enough_and_the_overlap_is_said_to_be_unknown(tmp_path, capsys):
    folder = _write(tmp_path / "physics", [record()], [])
    assert main("--input", folder / "train.json", "--output", tmp_path / "out") == 0
    assert "not looked for" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.parquet"]
    row = pq.read_table(tmp_path / "out" / "train.parquet").to_pylist()[0]
    assert row["data_source"] == "sciknoweval/physics"


def test_a_split_without_rows_is_not_written_and_fails(tmp_path, capsys):
    folder = _write(tmp_path / "physics", [record()], [record(answer="Q")])
    assert main("--input", folder, "--output", tmp_path / "out") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.parquet"]
    assert "refused: test row 0" in capsys.readouterr().out


def test_a_domain_must_be_a_word(tmp_path, capsys):
    folder = _write(tmp_path / "physics", [record()], [record()])
    assert main("--input", folder, "--output", tmp_path / "out", "--domain", "a b") == 2
    assert "--domain" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class _WordTokenizer:
    """Counts words; the template puts the role before each message and one word at the end."""

    def apply_chat_template(self, conversation, add_generation_prompt, tokenize):
        assert add_generation_prompt
        assert not tokenize
        return " ".join(f"{message['role']} {message['content']}" for message in conversation) + " assistant"

    def __call__(self, text, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": text.split()}


def test_prompt_lengths_are_those_of_the_whole_chat():
    rows = [convert(record("w " * extra), index=extra) for extra in range(1, 21)]
    lengths = [report.prompt_tokens(row, _WordTokenizer()) for row in rows]
    fixed = len(SYSTEM.split()) + len(record("")["prompt"].split()) + 3
    assert lengths == [fixed + extra for extra in range(1, 21)]
    facts = report.length_facts(Counter([10, 2049, 2048, *range(11, 28)]))
    assert list(facts.values()) == ["10 / 19 / 2048 / 2049", 1]


def test_the_command_counts_tokens_with_a_tokenizer_from_a_folder(tmp_path, capsys):
    backend = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    long = record("w " * 2048)
    folder = _write(tmp_path / "physics", [record(), long], [record()])
    arguments = ["--input", str(folder), "--output", str(tmp_path / "out"), "--tokenizer", str(tmp_path / "tokenizer")]
    assert main(*arguments) == 0
    short, longest = (len((SYSTEM + source["prompt"]).split()) for source in (record(), long))
    told = capsys.readouterr().out
    assert f"{short} / {short} / {longest} / {longest}" in told
    assert re.search(r"prompts over 2048 tokens +1 +0\n", told)


def test_the_right_letter_of_a_converted_row_scores_one():
    for letter in "AB":
        row = convert(record(answer=letter))
        outcome = compute_score(
            row["data_source"], f"<answer>\n{letter}\n</answer>", row["reward_model"]["ground_truth"], row["extra_info"]
        )
        assert outcome["score"] == 1.0
