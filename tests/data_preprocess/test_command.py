# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The command that all datasets share, on a small dataset of its own."""

import json
import re

import pyarrow.parquet as pq
import pytest

from data_preprocess.command import run
from data_preprocess.dataset import Dataset, Refused, text_field
from data_preprocess.schema import chat_prompt, make_row


def convert(record, place, options):
    if record.get("answer") == "?":
        raise Refused(f"unknown answer in {record['id']}", "unknown answer")
    return make_row(
        data_source=record.get("source", "multiple_choice/toy"),
        prompt=chat_prompt(text_field(record, "question")),
        ground_truth=record["answer"],
        ability="test",
        split=place.split,
        index=record.get("index", place.row),
        source_id=record.get("id"),
        details={"options": "ABC", "draw": place.random(options).randrange(10**6)},
    )


TOY = Dataset("toy", convert)


def records(number, **changes):
    return [{"question": f"Q{row}?", "answer": "ABC"[row % 3], "id": f"q{row}"} | changes for row in range(number)]


@pytest.fixture
def toy(tmp_path, capsys):
    def command(train, test=(), *arguments, dataset=TOY):
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        for name, rows in (("train", train), ("test", test)):
            (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
        status = run(dataset, ["--input", str(folder), "--output", str(tmp_path / "out"), *arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return command


TEST = [{"question": "T?", "answer": "A", "id": "t0"}]


def written(tmp_path, split="train"):
    return pq.read_table(tmp_path / "out" / f"{split}.parquet").to_pylist()


def indices(tmp_path):
    return [row["extra_info"]["index"] for row in written(tmp_path)]


def test_every_row_is_accounted_for(toy, tmp_path):
    train = [*records(6), {"question": "x", "answer": "?", "id": "bad"}, 5, {"question": "y"}, {"question": 3}]
    status, told, _ = toy(train, TEST, "--limit", "4")
    assert status == 0
    assert re.search(r"rows in +10 +1\n", told)
    assert re.search(r"rows refused +4 +0\n", told)
    assert re.search(r"  unknown answer +1 +0\n", told)
    assert re.search(r"  unreadable +1 +0\n", told)
    assert re.search(r"rows left out by --limit +2 +0\n", told)
    assert re.search(r"rows out +4 +1\n", told)
    assert "refused: train row 6: unknown answer in bad\n" in told
    assert "refused: train row 7: is a JSON int, not an object\n" in told
    assert "refused: train row 8: has no 'answer'\n" in told
    assert "refused: train row 9: 'question' must be text, is int\n" in told
    [size] = re.findall(r"file size in bytes +([\d,]+) ", told)
    assert int(size.replace(",", "")) == (tmp_path / "out" / "train.parquet").stat().st_size
    assert len(re.findall(r"fingerprint sha256:[0-9a-f]{64}\n", told)) == 2


def test_reasons_that_differ_in_every_row_do_not_fill_the_table(toy):
    def complain(record, place, options):
        raise Refused(f"odd {place.row}")

    status, told, _ = toy(records(300), TEST, dataset=Dataset("toy", complain))
    assert status == 1
    assert told.count("refused: train") < 60
    assert re.search(r"  for other reasons +280 +0\n", told)


def test_a_missing_column_is_told_once_with_what_there_is(toy, tmp_path):
    status, told, _ = toy([{"text": "x", "answer": "A"}] * 50, TEST)
    assert status == 1
    assert "'question' is missing; the record has text, answer" in told
    assert "refused: train: 45 more: 'question' is missing" in told
    assert not (tmp_path / "out" / "train.parquet").exists()


def test_a_limit_keeps_the_first_rows_and_a_seed_draws_them_repeatably(toy, tmp_path):
    def kept(*arguments):
        assert toy([*records(39), {}], TEST, "--limit", "8", *arguments)[0] == 0
        found = indices(tmp_path)
        assert found == sorted(found)
        return tuple(found)

    assert kept() == tuple(range(8))
    assert kept("--seed", "1") == kept("--seed", "1")
    drawn = {kept("--seed", str(seed)) for seed in range(4)}
    assert len(drawn) == 4
    assert {len(found) for found in drawn} == {8}


def test_a_row_s_own_draw_depends_on_the_seed_and_nothing_else(toy, tmp_path):
    dataset = Dataset("toy", convert, uses_seed=True)

    def draws(train, *arguments):
        toy(train, TEST, *arguments, dataset=dataset)
        return {row["extra_info"]["index"]: row["extra_info"]["details"] for row in written(tmp_path)}

    plain = draws(records(9))
    assert draws(records(9), "--seed", "0") == plain
    assert draws(records(9), "--seed", "1") != plain
    fewer = draws([*records(3), 5, *records(9)[4:]])
    assert fewer == {index: draw for index, draw in plain.items() if index != 3}


def test_single_questions_are_found_by_id_or_index(toy, tmp_path):
    status, told, _ = toy(records(9), TEST, "--single-question", "q4", "--single-question", "7")
    assert status == 0
    assert indices(tmp_path) == [4, 7]
    assert re.search(r"rows left out by --single-question +7 +1\n", told)
    assert not (tmp_path / "out" / "test.parquet").exists()


def test_unknown_single_questions_are_named_and_nothing_is_written(toy, tmp_path):
    status, _, error = toy(records(9), TEST, "--single-question", "q4", "--single-question", "zz")
    assert (status, error) == (2, "error: --single-question: no row has source_id or index zz\n")
    assert not (tmp_path / "out").exists()


SHARED = [{"question": " Q1?\n", "answer": "A"}, {"question": "T?", "answer": "A"}]


@pytest.mark.parametrize(
    ("rule", "kept"), [("keep", [0, 1, 2, 3]), ("refuse-train", [0, 2, 3]), (None, [0, 2, 3]), ("error", None)]
)
def test_what_becomes_of_a_question_in_both_splits(toy, tmp_path, rule, kept):
    status, told, error = toy(records(4), SHARED, *(["--on-overlap", rule] if rule else []))
    if kept is None:
        assert status == 2
        assert "1 questions are in both splits" in error
        assert not (tmp_path / "out").exists()
        return
    assert status == 0
    assert indices(tmp_path) == kept
    assert len(written(tmp_path, "test")) == 2
    if rule == "keep":
        assert "overlap: train row 1 (answer B) = test row 0 (answer A)" in told
        assert "questions in both splits: 1 (kept in both)" in told
    else:
        assert "refused: train row 1: asks what test asks too (--on-overlap)" in told
        assert "questions in both splits: 0 " in told


def test_repeats_are_reported_and_kept_and_long_lists_cut(toy, tmp_path):
    status, told, _ = toy([*records(8), *records(8), *records(1) * 5], TEST)
    assert status == 0
    assert re.search(r"questions asked more than once +8 +0\n", told)
    assert "duplicate: train row 0 (answer A) = train row 8 (answer A) = train row 16 (answer A) = 4 more\n" in told
    assert "duplicate: 3 more" in told
    assert len(written(tmp_path)) == 21


def test_rows_with_long_answers_are_named_by_their_source_id_where_they_have_one(toy):
    tests = json.dumps({"version": 1, "tests": [{"input": "1", "output": "2"}] * 9})
    long = {"question": "Q?", "answer": tests, "source": "unheard_of"}
    _, told, _ = toy([{**long, "id": "abc"}, {**long, "answer": "B", "id": "d"}, long], TEST)
    duplicate = f"train row 0 (source_id abc) = train row 1 (answer B) = train row 2 (answer {tests[:40]}...)"
    assert f"duplicate: {duplicate}\n" in told


def test_the_last_line_says_what_numbers_count(toy):
    _, told, _ = toy(records(1), TEST)
    assert told.endswith("\nRow numbers count from 0 in the source, through all of its parts.\n")
    _, told, _ = toy(records(1), TEST, dataset=Dataset("toy", convert, index_meaning="apples"))
    assert told.endswith("Those of duplicates and overlaps are the rows' indices: apples.\n")


def test_a_dataset_may_depend_on_the_form_of_its_input(toy, tmp_path):
    other = Dataset("toy", convert, splits={"train": "test", "test": "test"}, on_overlap="keep")
    dataset = Dataset("toy", convert, on_overlap="keep", for_input=lambda options: other)
    assert toy(records(2), TEST, dataset=dataset)[0] == 0
    assert [len(written(tmp_path, split)) for split in ("train", "test")] == [1, 1]


def test_a_repeated_index_is_refused(toy, tmp_path):
    status, told, _ = toy([*records(2, index=5), *records(1, source="multiple_choice/other", index=5)], TEST)
    assert status == 0
    assert "refused: train row 1: index 5 is already that of another row" in told
    assert len(written(tmp_path)) == 2


def test_rows_whose_answers_do_not_round_trip_are_refused(toy, tmp_path):
    train = [*records(2), {"question": "x", "answer": "D"}]
    status, told, _ = toy(train, TEST)
    assert status == 0
    assert re.search(r"reward: gold answer scores 1, a wrong one 0 +2 +1\n", told)
    assert re.search(r"  the reward refuses it +1 +0\n", told)
    toy(train, TEST, "--no-check-reward")
    assert len(written(tmp_path)) == 3
    _, told, _ = toy(train, TEST, dataset=Dataset("toy", convert, gold_response=lambda row: "no idea"))
    assert re.search(r"  the gold answer does not score 1 +2 +1\n", told)
    assert "does not score 1 but 0: Incorrect format" in told
    right = Dataset(
        "toy", convert, wrong_response=lambda row: f"<answer>{row['reward_model']['ground_truth']}</answer>"
    )
    assert re.search(r"  the wrong answer does not score 0 +2 +1\n", toy(train, TEST, dataset=right)[1])
    _, told, _ = toy(records(2, source="unheard_of"), TEST)
    assert re.search(r"reward not tried: none is registered, or no response is known +2 +0\n", told)


def test_prompts_with_half_a_character_are_refused(toy):
    _, told, _ = toy([{"question": "\ud800", "answer": "A"}, *records(1)], TEST)
    assert "refused: train row 0: prompt[0].content: is not valid Unicode at character 0" in told


def test_what_a_terminal_cannot_show_is_escaped(toy):
    status, told, _ = toy([{"question": "x", "answer": "?", "id": "\ud800"}, *records(1)], TEST)
    assert status == 0
    assert "refused: train row 0: unknown answer in \\ud800\n" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "1"], "give --limit"),
        (["--limit", "0"], "at least 1"),
        (["--limit", "x"], "invalid int"),
        (["--split", "dev"], "invalid choice"),
        (["--streaming"], "no effect"),
        (["--max-row-mib", "0"], "above 0"),
        (["--colour"], "unrecognized"),
        (["--tokenizer", "no/such/folder/of/a/tokenizer"], "--tokenizer"),
        (["--input", "hub/toy"], "download the dataset"),
        (["--input", "no/such/place"], "no such file"),
    ],
)
def test_an_option_that_cannot_work_is_one_line_and_nothing_is_written(toy, tmp_path, arguments, message):
    status, told, error = toy(records(1), TEST, *arguments)
    assert (status, told) == (2, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_or_cannot_be_made_is_one_line(toy, tmp_path):
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        status, _, error = toy(records(1), TEST, "--output", str(output))
        assert status == 2
        assert error.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_of_an_earlier_run_is_pointed_out(toy, tmp_path):
    toy(records(1), TEST)
    status, told, _ = toy(records(1), [{}])
    assert status == 1
    assert f"note: test: {tmp_path}/out/test.parquet is of an earlier run" in told


def test_an_interruption_leaves_nothing(toy, tmp_path):
    def interrupted(record, place, options):
        if place.row == 2:
            raise KeyboardInterrupt
        return convert(record, place, options)

    status, _, error = toy(records(9), TEST, dataset=Dataset("toy", interrupted))
    assert (status, error) == (130, "error: interrupted, nothing written\n")
    assert not (tmp_path / "out").exists()


def test_a_fault_of_our_own_is_not_hidden_as_the_input_s(toy, tmp_path):
    def broken(record, place, options):
        raise AssertionError

    with pytest.raises(AssertionError):
        toy(records(9), TEST, dataset=Dataset("toy", broken))
    assert not (tmp_path / "out").exists()
