# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import sys

import pytest

from data_preprocess.dataset import Dataset
from data_preprocess.schema import UserError
from data_preprocess.sources import open_sources, split_files


def never(*_):
    raise AssertionError


TWO = Dataset("two", never, hub_id="org/two", hub_config="main", revision="v1")
ONE_FILE = Dataset("one", never, splits={"train": "test", "test": "test"}, files={"train": ["part*.jsonl"]})
OTHER_NAMES = Dataset("other", never, splits={"test": "validation"})


def test_a_folder_gives_both_splits_or_the_one_asked_for(tmp_path):
    (tmp_path / "train.jsonl").touch()
    (tmp_path / "test.json").touch()
    assert {split: [path.name for path in paths] for split, paths in split_files(TWO, tmp_path).items()} == {
        "train": ["train.jsonl"],
        "test": ["test.json"],
    }
    assert list(split_files(TWO, tmp_path, "test")) == ["test"]


def test_a_single_file_is_the_split_it_is_called_or_said_to_be(tmp_path):
    for name in ("test.json", "questions.json"):
        (tmp_path / name).touch()
    assert list(split_files(TWO, tmp_path / "test.json")) == ["test"]
    assert list(split_files(TWO, tmp_path / "questions.json", "train")) == ["train"]
    with pytest.raises(ValueError, match="--split"):
        split_files(TWO, tmp_path / "questions.json")


def test_a_missing_or_doubled_split_file_is_named(tmp_path):
    (tmp_path / "train.json").touch()
    with pytest.raises(ValueError, match="no test.json, .*--split train"):
        split_files(TWO, tmp_path)
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(ValueError, match="train.json and train.jsonl"):
        split_files(TWO, tmp_path, "train")


def test_one_file_may_hold_all_splits(tmp_path):
    (tmp_path / "anything.jsonl").touch()
    assert list(split_files(ONE_FILE, tmp_path / "anything.jsonl")) == ["train", "test"]
    (tmp_path / "test.jsonl").touch()
    assert split_files(ONE_FILE, tmp_path) == dict.fromkeys(["train", "test"], [tmp_path / "test.jsonl"])


def test_files_may_have_upstream_names_and_lie_where_a_hub_puts_them(tmp_path):
    (tmp_path / "validation.csv").touch()
    assert split_files(OTHER_NAMES, tmp_path) == {"test": [tmp_path / "validation.csv"]}
    (tmp_path / "main").mkdir()
    shards = [tmp_path / "main" / f"train-0000{number}-of-00002.parquet" for number in range(2)]
    shards[0].touch()
    with pytest.raises(UserError, match="1 of 2 parts"):
        split_files(TWO, tmp_path, "train")
    shards[1].touch()
    assert split_files(TWO, tmp_path, "train") == {"train": shards}
    (tmp_path / "part1.jsonl").touch()
    assert split_files(ONE_FILE, tmp_path, "train") == {"train": [tmp_path / "part1.jsonl"]}


def test_rows_are_numbered_through_the_parts_of_a_split(tmp_path):
    for number in range(2):
        (tmp_path / f"part{number}.jsonl").write_text(f'{{"a": {number}}}\n[]\n')
    [source] = open_sources(ONE_FILE, str(tmp_path), "train", streaming=False, max_row_bytes=99)
    assert [(record.row, record.value) for record in source.records()] == [
        (0, {"a": 0}),
        (1, None),
        (2, {"a": 1}),
        (3, None),
    ]
    assert source.revision().count("sha256:") == 2


@pytest.mark.parametrize(
    ("where", "problem"),
    [("no/such/folder", "no such file"), ("folder/train.json", "no such file"), (None, "--input is needed")],
)
def test_an_input_that_is_nothing_is_one_line(where, problem):
    with pytest.raises(UserError, match=problem):
        open_sources(ONE_FILE, where, None, streaming=False, max_row_bytes=99)


COMMIT = "ab" * 20


class _Hub:
    """Stands for the library: remembers what it is asked for, and gives rows or an error."""

    def __init__(self, rows, error=None, commit=COMMIT):
        self.rows, self.error, self.commit, self.asked = rows, error, commit, []

    def load_dataset_builder(self, *names, **options):
        self.asked.append((names, options))
        if self.error:
            raise self.error
        return _Builder(self)


class _Builder:
    def __init__(self, hub):
        self.hub, self.hash, self.is_prepared = hub, hub.commit, False

    def download_and_prepare(self):
        self.is_prepared = True

    def as_dataset(self, split):
        assert self.is_prepared
        self.hub.asked.append(("whole", split))
        return list(self.hub.rows)

    def as_streaming_dataset(self, split):
        assert not self.is_prepared
        self.hub.asked.append(("streamed", split))
        return iter(self.hub.rows)


def test_a_hub_id_is_loaded_with_configuration_and_revision_when_it_is_read(monkeypatch):
    hub = _Hub([{"a": 1}, {"a": "x" * 200}])
    monkeypatch.setitem(sys.modules, "datasets", hub)
    train, test = open_sources(TWO, None, None, streaming=False, max_row_bytes=99)
    assert hub.asked == []
    assert [record.value for record in train.records()] == [{"a": 1}, None]
    assert [record.row for record in train.records()] == [0, 1]
    assert hub.asked == [(("org/two", "main"), {"revision": "v1"}), ("whole", "train")]
    assert test.revision() == f"org/two test v1 {COMMIT}"
    [copy] = open_sources(TWO, "me/copy", "test", streaming=True, max_row_bytes=99)
    assert list(copy.records())
    assert hub.asked[-2:] == [(("me/copy", None), {"revision": None}), ("streamed", "test")]
    assert copy.revision() == f"me/copy test {COMMIT}"


def test_the_revision_of_what_is_no_commit_is_said_to_be_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", _Hub([], commit="1f2e3d"))
    [source] = open_sources(Dataset("x", never, hub_id="org/two"), None, "test", streaming=False, max_row_bytes=9)
    assert source.revision() == "org/two test of unknown revision"


@pytest.mark.parametrize("streaming", [False, True])
def test_the_library_takes_the_calls_and_gives_the_rows(monkeypatch, tmp_path, streaming):
    """With the real library; only the way to the hub is cut short, to a folder laid out like one of its datasets."""
    import datasets

    repository = tmp_path / "repository"
    (repository / "data").mkdir(parents=True)
    card = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: test\n    path: data/q.jsonl\n---\n"
    (repository / "README.md").write_text(card)
    (repository / "data" / "q.jsonl").write_text('{"a": 1, "b": {"c": ["x"]}}\n{"a": 2, "b": null}\n')
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    found = datasets.load_dataset_builder

    def local(hub_id, config, *, revision):
        assert (hub_id, revision) == ("org/two", "v1")
        return found(str(repository), config, cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(datasets, "load_dataset_builder", local)
    [source] = open_sources(TWO, None, "test", streaming=streaming, max_row_bytes=99)
    assert [record.value for record in source.records()] == [{"a": 1, "b": {"c": ["x"]}}, {"a": 2, "b": None}]
    assert source.revision() == "org/two test v1 of unknown revision"
    [other] = open_sources(TWO, None, "train", streaming=streaming, max_row_bytes=99)
    with pytest.raises(UserError, match="split 'train' cannot be had"):
        list(other.records())


def test_a_hub_out_of_reach_is_one_line_that_names_the_files_to_download(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", _Hub([], ConnectionError("no\nroute")))
    source = open_sources(TWO, None, "test", streaming=False, max_row_bytes=99)[0]
    with pytest.raises(UserError, match=r"org/two.*no route.*download.*configuration main.*test.parquet") as raised:
        list(source.records())
    assert "\n" not in str(raised.value)


def test_streaming_is_for_hubs(tmp_path):
    with pytest.raises(UserError, match="--streaming has no effect"):
        open_sources(TWO, str(tmp_path), None, streaming=True, max_row_bytes=99)
