# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from data_preprocess.records import file_digest, read_records, split_files

RECORDS = [{"prompt": "one\u2028line"}, {"prompt": "é"}]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(json.dumps(record) for record in RECORDS),
        "\n\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS) + "\r\n",
        json.dumps(RECORDS, indent=2),
        "\ufeff" + json.dumps(RECORDS),
    ],
)
def test_lines_and_arrays_read_the_same(tmp_path, text):
    path = tmp_path / "train.json"
    path.write_bytes(text.encode())
    assert [(record.row, record.value) for record in read_records(path)] == list(enumerate(RECORDS))


def test_an_unreadable_row_keeps_its_number_and_its_line(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text('{"a": 1}\n\n{"a": \n[1]\n{"a": 2}\n')
    records = read_records(path)
    assert [record.value for record in records] == [{"a": 1}, None, None, {"a": 2}]
    assert "line 3" in records[1].problem
    assert "list" in records[2].problem


def test_a_broken_array_and_another_encoding_are_refused(tmp_path):
    (tmp_path / "array.json").write_text('[{"a": 1},')
    (tmp_path / "latin.json").write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match="does not parse"):
        read_records(tmp_path / "array.json")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_records(tmp_path / "latin.json")


def test_a_folder_gives_both_splits_or_the_one_asked_for(tmp_path):
    (tmp_path / "train.jsonl").touch()
    (tmp_path / "test.json").touch()
    assert {split: path.name for split, path in split_files(tmp_path).items()} == {
        "train": "train.jsonl",
        "test": "test.json",
    }
    assert list(split_files(tmp_path, "test")) == ["test"]


def test_a_single_file_is_the_split_it_is_called_or_said_to_be(tmp_path):
    for name in ("test.json", "questions.json"):
        (tmp_path / name).touch()
    assert list(split_files(tmp_path / "test.json")) == ["test"]
    assert list(split_files(tmp_path / "questions.json", "train")) == ["train"]
    with pytest.raises(ValueError, match="--split"):
        split_files(tmp_path / "questions.json")


def test_a_missing_or_doubled_split_file_is_named(tmp_path):
    (tmp_path / "train.json").touch()
    with pytest.raises(ValueError, match="no test.json.*--split train"):
        split_files(tmp_path)
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(ValueError, match="train.json and train.jsonl"):
        split_files(tmp_path, "train")


def test_a_hub_id_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(ValueError, match="hub.*download"):
        split_files(tmp_path / "org" / "dataset")


def test_the_digest_is_sha256_of_the_bytes(tmp_path):
    (tmp_path / "empty").touch()
    # The well-known digest of no bytes at all.
    empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert file_digest(tmp_path / "empty") == empty
