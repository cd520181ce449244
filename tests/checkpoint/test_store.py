# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which checkpoint a run goes on from, what it refuses and names, and what goes when a new one is there."""

import shutil
import zipfile

import pytest

from tests.checkpoint.small_run import FILES, is_of_step, manifest, save, write_files
from verl_sdpo.checkpoint.manifest import NAME, CheckpointError
from verl_sdpo.checkpoint.store import STAGING, TRACKER, CheckpointStore, choose_given


@pytest.fixture
def store(tmp_path):
    """Of a run that has saved steps 2, 4 and 6."""
    store = CheckpointStore(tmp_path)
    for step in (2, 4, 6):
        save(store, step)
    return store


def steps(store):
    return [entry.step for entry in store.entries()]


def write_unmarked(root, step):
    """What verl's own trainer leaves."""
    write_files(root / f"global_step_{step}", step)
    for path in (root / f"global_step_{step}").rglob("*.pt"):
        path.unlink()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data.pkl", "content")
    (root / TRACKER).write_text(str(step))


def test_the_newest_one_is_resumed_and_verls_tracker_names_it(store):
    choice = store.choose()
    assert (choice.folder, choice.notes) == (store.root / "global_step_6", ())
    assert is_of_step(choice.folder, 6)
    assert (store.root / TRACKER).read_text() == "6"


def test_the_newest_is_the_one_that_was_written_last_not_the_one_with_the_highest_step(store):
    save(store, 3)
    assert store.choose().folder.name == "global_step_3"


def test_nothing_is_there_so_the_run_starts_from_scratch(tmp_path):
    choice = CheckpointStore(tmp_path / "new").choose()
    assert (choice.folder, choice.notes) == (None, ())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("keep", "left"), [(None, [2, 4, 6, 8]), (1, [8]), (2, [6, 8]), (9, [2, 4, 6, 8])])
def test_so_many_are_kept_those_of_the_run_before_included(store, keep, left):
    save(CheckpointStore(store.root), 8, keep)
    assert steps(store) == left
    assert not (store.root / STAGING).exists()


def test_older_ones_go_by_the_order_of_writing(store):
    save(store, 3, keep=2)
    assert steps(store) == [3, 6]


def test_what_was_not_completed_here_is_not_removed(tmp_path):
    write_unmarked(tmp_path, 1)
    store = CheckpointStore(tmp_path)
    save(store, 2)
    save(store, 3, keep=1)
    assert steps(store) == [1, 3]


def test_a_step_that_is_there_is_replaced_whole(store):
    (store.root / "global_step_4" / "of_the_old_one").touch()
    save(store, 4)
    assert not (store.root / "global_step_4" / "of_the_old_one").exists()
    assert store.choose().folder.name == "global_step_4"


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = [
    (FILES[1], lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes, .* were written"),
    (FILES[0], flip, "checksum differs"),
    (FILES[2], lambda path: path.unlink(), "is missing"),
    ("data.pt", lambda path: path.unlink(), "is missing"),
    ("data.pt", lambda path: path.write_bytes(b""), "has 0 bytes"),
    (NAME, lambda path: path.unlink(), "was not completed here"),
    (NAME, lambda path: path.write_text(""), "is damaged"),
    (NAME, lambda path: path.write_text("[]"), "is damaged"),
    (NAME, lambda path: path.write_text(path.read_text().replace('"step": 6', '"step": 7')), "own checksum"),
    (NAME, lambda path: path.write_text(path.read_text().replace('"format": 1', '"format": 2')), "has format 2"),
]


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGE)
def test_a_damaged_one_is_named_by_file_and_the_one_before_it_is_resumed(store, name, damage, said):
    damage(store.root / "global_step_6" / name)
    choice = store.choose()
    assert choice.folder.name == "global_step_4"
    if name != NAME:
        assert any(str(store.root / "global_step_6" / name) in note for note in choice.notes)
        with pytest.raises(CheckpointError, match=said):
            choose_given(store.root / "global_step_6")
    for step in (2, 4):
        shutil.rmtree(store.root / f"global_step_{step}")
    if said != "was not completed here":
        with pytest.raises(CheckpointError, match=said) as caught:
            store.choose()
        assert str(store.root / "global_step_6" / name) in str(caught.value)
        assert "trainer.resume_mode=disable" in str(caught.value)


def test_a_tracker_that_points_nowhere_is_refused_with_the_ways_out(store):
    (store.root / TRACKER).write_text("8")
    with pytest.raises(CheckpointError) as caught:
        store.choose()
    said = str(caught.value)
    assert f"{store.root / 'global_step_8'} does not exist" in said
    assert f"trainer.resume_from_path={store.root / 'global_step_6'}" in said
    assert "trainer.resume_mode=disable" in said


def test_a_tracker_that_points_nowhere_is_refused_where_nothing_else_is(tmp_path):
    (tmp_path / TRACKER).write_text("8")
    with pytest.raises(CheckpointError, match="does not exist: set trainer.resume_mode=disable"):
        CheckpointStore(tmp_path).choose()


@pytest.mark.parametrize("text", ["", "\0\0", "six", "-1"])
def test_a_damaged_tracker_is_said_and_not_followed(store, text):
    (store.root / TRACKER).write_text(text)
    choice = store.choose()
    assert choice.folder.name == "global_step_6"
    assert "which is no step" in choice.notes[0]


@pytest.mark.parametrize("text", ["4", None])
def test_a_tracker_behind_the_newest_one_is_said(store, text):
    (store.root / TRACKER).unlink()
    if text is not None:
        (store.root / TRACKER).write_text(text)
    choice = store.choose()
    assert choice.folder.name == "global_step_6"
    assert "global_step_6 is the newest whole one" in choice.notes[0]


def test_one_can_be_named_and_is_read_too(store):
    assert choose_given(store.root / "global_step_2").manifest.step == 2
    with pytest.raises(CheckpointError, match="does not exist"):
        choose_given(store.root / "global_step_3")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        choose_given(store.root)


# Checkpoints of verl's own trainer, and of this package before it marked them


def test_an_unmarked_one_that_the_tracker_names_is_resumed_and_said(tmp_path):
    write_unmarked(tmp_path, 5)
    choice = CheckpointStore(tmp_path).choose()
    assert (choice.folder.name, choice.manifest) == ("global_step_5", None)
    assert "it is from verl's own trainer or an earlier version" in choice.notes[0]


def test_an_unmarked_one_that_the_tracker_names_is_newer_than_marked_ones(store):
    write_unmarked(store.root, 5)
    assert store.choose().folder.name == "global_step_5"


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("data.pt", lambda path: path.unlink(), "position in the data is not known"),
        (FILES[0], lambda path: path.write_bytes(path.read_bytes()[:-9]), "is cut off or empty"),
        (FILES[1], lambda path: path.unlink(), r"lacks model\.pt of ranks \[1\] of 2"),
        ("actor", shutil.rmtree, "actor is missing"),
    ],
)
def test_what_can_be_seen_of_a_damaged_unmarked_one_is_refused(tmp_path, name, damage, said):
    write_unmarked(tmp_path, 5)
    damage(tmp_path / "global_step_5" / name)
    with pytest.raises(CheckpointError, match=said):
        CheckpointStore(tmp_path).choose()
    with pytest.raises(CheckpointError, match=said):
        choose_given(tmp_path / "global_step_5")


def test_unmarked_ones_without_a_tracker_are_no_scratch(tmp_path):
    write_unmarked(tmp_path, 5)
    (tmp_path / TRACKER).unlink()
    with pytest.raises(CheckpointError, match="set trainer.resume_mode=disable to start from scratch"):
        CheckpointStore(tmp_path).choose()


# Saving that fails


def test_one_that_was_put_aside_comes_back_where_its_successor_is_damaged(store):
    write_files(store.begin(4), 4)
    (store.root / "global_step_4").rename(store.staging / "replaced_global_step_4")
    assert store.choose().folder.name == "global_step_6"
    assert choose_given(store.root / "global_step_4").manifest.step == 4
    assert not store.staging.exists()


def test_a_save_lacking_a_ranks_files_fails_and_names_what_to_do(store):
    staged = store.begin(8)
    write_files(staged, 8)
    (staged / FILES[1]).unlink()
    with pytest.raises(CheckpointError, match=r"lacks model\.pt of ranks \[1\] of 2.*that all machines share"):
        store.finish(manifest(8), keep=1)
    store.abandon()
    assert steps(store) == [2, 4, 6]
    assert store.choose().folder.name == "global_step_6"
    assert not (store.root / STAGING).exists()
