# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import json

import pyarrow.parquet as pq
import pytest

from data_preprocess import schema


def one_row(index=0, **changes):
    values = {
        "data_source": "multiple_choice/test",
        "prompt": schema.chat_prompt("Which gas do plants take in?\n\nA: carbon dioxide\nB: helium", "Answer."),
        "ground_truth": "A",
        "ability": "science",
        "split": "train",
        "index": index,
    }
    return schema.make_row(**(values | changes))


def test_a_made_row_has_no_faults():
    assert (
        schema.check_rows([one_row(), one_row(1, privileged_context="Plants breathe.", details={"options": "AB"})])
        == []
    )


@pytest.mark.parametrize("system", [None, "", " \n", "None"])
def test_no_system_turn_where_the_source_has_none(system):
    assert schema.chat_prompt("Why?", system) == [{"role": "user", "content": "Why?"}]


def test_prompt_texts_are_kept_to_the_last_character():
    assert schema.chat_prompt("\nWhy?\n ", "\nBe brief.\n") == [
        {"role": "system", "content": "\nBe brief.\n"},
        {"role": "user", "content": "\nWhy?\n "},
    ]


def _changed(path, value):
    row = one_row()
    target = row
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return row


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("data_source",), "", "data_source"),
        (("data_source",), None, "data_source"),
        (("ability",), 3, "ability"),
        (("privileged_context",), "  ", "privileged_context"),
        (("prompt",), [], "prompt"),
        (("prompt",), "Why?", "prompt"),
        (("prompt", 1, "content"), "", "prompt[1].content"),
        (("prompt", 1, "content"), "\ud83d", "prompt[1].content"),
        (("prompt", 1, "role"), "human", "prompt[1].role"),
        (("prompt", 1, "role"), "system", "prompt[1].role"),
        (("prompt", 1, "role"), "assistant", "prompt[1].role"),
        (("prompt", 0), {"role": "user"}, "prompt[0]"),
        (("prompt",), [*schema.chat_prompt("a"), *schema.chat_prompt("b", "c")], "prompt[1].role"),
        (("reward_model",), None, "reward_model"),
        (("reward_model", "ground_truth"), 4, "reward_model.ground_truth"),
        (("reward_model", "style"), "", "reward_model.style"),
        (("extra_info", "split"), "dev", "extra_info.split"),
        (("extra_info", "index"), -1, "extra_info.index"),
        (("extra_info", "index"), True, "extra_info.index"),
        (("extra_info", "index"), "0", "extra_info.index"),
        (("extra_info", "source_id"), 12, "extra_info.source_id"),
        (("extra_info", "details"), "{", "extra_info.details"),
        (("extra_info", "details"), "[1]", "extra_info.details"),
        (("extra_info", "difficulty"), "hard", "extra_info"),
        (("colour",), "red", "row"),
    ],
)
def test_each_fault_names_its_row_and_field(path, value, field):
    faults = schema.check_rows([one_row(7), _changed(path, value)])
    assert [(fault.row, fault.field) for fault in faults] == [(1, field)]


def test_a_missing_field_and_a_repeated_index_are_faults():
    incomplete = one_row(1)
    del incomplete["ability"]
    faults = schema.check_rows([one_row(0), incomplete, one_row(0), one_row(0, split="test")])
    assert [(fault.row, fault.field) for fault in faults] == [(1, "row"), (2, "extra_info.index")]
    assert "row 0" in str(faults[1])


def test_all_faults_of_a_row_are_listed():
    row = _changed(("data_source",), "")
    row["extra_info"]["index"] = None
    assert [fault.field for fault in schema.check_rows([row])] == ["data_source", "extra_info.index"]


def test_a_column_of_nulls_stays_a_string_column(tmp_path):
    schema.write_parquet([one_row()], tmp_path / "train.parquet")
    written = pq.read_schema(tmp_path / "train.parquet")
    assert str(written.field("privileged_context").type) == "string"
    assert str(written.field("extra_info").type.field("details").type) == "string"


def test_written_rows_come_back_unchanged(tmp_path):
    rows = [one_row(), one_row(3, privileged_context="é\n{x}", source_id="s", details={"options": "AB", "n": [1]})]
    schema.write_parquet(rows, tmp_path / "new" / "train.parquet")
    assert pq.read_table(tmp_path / "new" / "train.parquet").to_pylist() == rows
    assert json.loads(rows[1]["extra_info"]["details"]) == {"options": "AB", "n": [1]}


def test_metadata_names_schema_version_and_source(tmp_path):
    rows = [one_row()]
    schema.write_parquet(rows, tmp_path / "a.parquet")
    schema.write_parquet(rows, tmp_path / "b.parquet", source="questions.json sha256:00")
    metadata = pq.read_schema(tmp_path / "a.parquet").metadata
    assert metadata[b"verl_sdpo.schema_version"] == schema.SCHEMA_VERSION.encode()
    assert metadata[b"verl_sdpo.source"] == b"multiple_choice/test"
    assert pq.read_schema(tmp_path / "b.parquet").metadata[b"verl_sdpo.source"] == b"questions.json sha256:00"


def test_the_file_is_compressed_with_zstd_and_repeats_byte_for_byte(tmp_path):
    for name in ("a.parquet", "b.parquet"):
        schema.write_parquet([one_row()], tmp_path / name)
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0).compression == "ZSTD"
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("rows", [[], [_changed(("ability",), "")]])
def test_a_refused_write_leaves_the_old_file_alone(tmp_path, rows):
    path = tmp_path / "train.parquet"
    path.write_text("old")
    with pytest.raises(ValueError, match="train.parquet"):
        schema.write_parquet(rows, path)
    assert path.read_text() == "old"


def test_a_reader_of_the_old_file_is_not_disturbed(tmp_path):
    path = tmp_path / "train.parquet"
    path.write_text("old")
    with path.open() as reader:
        schema.write_parquet([one_row()], path)
        assert reader.read() == "old"
    assert path.read_bytes()[:4] == b"PAR1"


def test_a_failing_write_leaves_the_old_file_and_no_leftovers(tmp_path, monkeypatch):
    path = tmp_path / "train.parquet"
    path.write_text("old")

    def half_written(table, target, **_):
        target.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(schema.pq, "write_table", half_written)
    with pytest.raises(OSError, match="disk full"):
        schema.write_parquet([one_row()], path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["train.parquet"]
    assert path.read_text() == "old"
