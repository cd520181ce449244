# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which checkpoint is the best, and that it is whole, alone and safe from what becomes of the one it was made from."""

import json
import math
import os
import shutil

import pytest

from verl_sdpo.watch import best_checkpoint
from verl_sdpo.watch.best_checkpoint import Best, BestCheckpoint, check_all_ranks, is_better, unlink_shared

METRIC = "val-core/task/acc/mean@4"


@pytest.mark.parametrize(
    ("value", "best", "mode", "expected"),
    [
        (0.5, None, "max", True),
        (0.5, 0.4, "max", True),
        (0.5, 0.5, "max", False),
        (0.4, 0.5, "max", False),
        (0.4, 0.5, "min", True),
        (0.5, 0.4, "min", False),
        (0.0, None, "min", True),
        (math.nan, None, "max", False),
        (math.nan, 0.1, "min", False),
    ],
)
def test_what_is_better(value, best, mode, expected):
    assert is_better(value, best, mode) is expected


@pytest.fixture
def save(tmp_path):
    """`save(step)`: a checkpoint as verl writes it, each file with the step in it."""

    def write(step, world_size=2):
        folder = tmp_path / f"global_step_{step}"
        (folder / "actor" / "huggingface").mkdir(parents=True, exist_ok=True)
        for rank in range(world_size):
            for kind in ("model", "teacher"):
                name = f"{kind}_world_size_{world_size}_rank_{rank}.pt"
                (folder / "actor" / name).write_text(f"{kind} {step}")
        (folder / "actor" / "huggingface" / "config.json").write_text("{}")
        (folder / "data.pt").write_text(f"data {step}")
        return folder

    return write


@pytest.fixture
def best(tmp_path):
    return BestCheckpoint(tmp_path / "best", METRIC, "max")


def content(folder):
    return {
        str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file() and p.name != "best.json"
    }


def folders(best):
    return sorted(path.name for path in best.folder.iterdir())


def test_the_first_checkpoint_is_kept_whole_with_a_record(best, save):
    assert best.read() is None
    saved = save(5)
    assert best.consider(5, 0.25, saved)
    kept = best.folder / "global_step_5"
    assert content(kept) == content(saved)
    assert json.loads((kept / "best.json").read_text()) == {"step": 5, "metric": METRIC, "value": 0.25}
    assert not (saved / "best.json").exists()


def test_only_a_better_one_replaces_it(best, save):
    best.consider(5, 0.25, save(5))
    assert not best.consider(10, 0.25, save(10))
    assert folders(best) == ["global_step_5"]
    assert best.consider(15, 0.5, save(15))
    assert folders(best) == ["global_step_15"]
    assert best.read() == Best(15, METRIC, 0.5)


def test_rotation_of_the_original_leaves_it_whole(best, save):
    saved = save(5)
    expected = content(saved)
    best.consider(5, 0.25, saved)
    shutil.rmtree(saved)
    assert content(best.folder / "global_step_5") == expected


def test_it_costs_no_disk_while_the_original_is_there(best, save):
    saved = save(5)
    best.consider(5, 0.25, saved)
    assert os.path.samefile(saved / "data.pt", best.folder / "global_step_5" / "data.pt")


def test_without_hard_links_it_is_a_copy(best, save, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(best_checkpoint.os, "link", refuse)
    saved = save(5)
    assert best.consider(5, 0.25, saved)
    assert content(best.folder / "global_step_5") == content(saved)
    assert not os.path.samefile(saved / "data.pt", best.folder / "global_step_5" / "data.pt")


def test_saving_the_same_step_again_does_not_write_into_the_best_one(best, save):
    saved = save(5)
    expected = content(saved)
    best.consider(5, 0.25, saved)
    unlink_shared(saved)
    for path in saved.rglob("*.pt"):
        path.write_text("another run")
    (saved / "data.pt").write_text("another run")
    assert content(best.folder / "global_step_5") == expected


def test_a_folder_that_is_not_there_yet_shares_nothing(tmp_path):
    unlink_shared(tmp_path / "global_step_1")


@pytest.mark.parametrize("crash_in", ["copytree", "write_text", "rename"])
def test_a_crash_leaves_the_earlier_best_whole_and_the_next_one_gets_through(best, save, monkeypatch, crash_in):
    best.consider(5, 0.25, save(5))
    expected = content(best.folder / "global_step_5")

    def crash(*_args, **_more):
        raise KeyboardInterrupt

    saved = save(10)
    with monkeypatch.context() as patch:
        owner = best_checkpoint.shutil if crash_in == "copytree" else best_checkpoint.Path
        patch.setattr(owner, crash_in, crash)
        with pytest.raises(KeyboardInterrupt):
            best.consider(10, 0.5, saved)
    after = BestCheckpoint(best.folder, METRIC, "max")
    assert after.read() == Best(5, METRIC, 0.25)
    assert content(best.folder / "global_step_5") == expected
    assert after.consider(15, 0.75, save(15))
    assert folders(best) == ["global_step_15"]


def test_a_crash_between_rename_and_removal_leaves_two_and_the_better_one_counts(best, save, monkeypatch):
    best.consider(10, 0.25, save(10))
    monkeypatch.setattr(best_checkpoint.shutil, "rmtree", lambda *_, **__: None)
    best.consider(5, 0.5, save(5))
    assert folders(best) == ["global_step_10", "global_step_5"]
    assert best.read() == Best(5, METRIC, 0.5)


def test_the_same_step_can_become_better(best, save):
    best.consider(5, 0.25, save(5))
    again = save(5)
    assert best.consider(5, 0.5, again)
    assert folders(best) == ["global_step_5"]
    assert best.read().value == 0.5


def test_a_crash_while_the_same_step_is_replaced_leaves_the_earlier_one_whole(best, save, monkeypatch):
    best.consider(5, 0.25, save(5))
    expected = content(best.folder / "global_step_5")
    again, rename, renamed = save(5), best_checkpoint.Path.rename, []

    def crash_at_the_second(path, target):
        renamed.append(path)
        if len(renamed) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(best_checkpoint.Path, "rename", crash_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            best.consider(5, 0.5, again)
    after = BestCheckpoint(best.folder, METRIC, "max")
    assert after.read() == Best(5, METRIC, 0.25)
    assert content(best.folder / "global_step_5.old") == expected
    assert after.consider(10, 0.75, save(10))
    assert folders(best) == ["global_step_10"]


def test_the_best_one_that_was_resumed_from_can_be_its_own_source(best, save):
    best.consider(5, 0.25, save(5))
    kept = best.folder / "global_step_5"
    expected = content(kept)
    assert best.consider(5, 0.3, kept)
    assert content(kept) == expected
    assert best.read() == Best(5, METRIC, 0.3)


def test_the_best_of_another_metric_is_not_compared(best, save):
    best.consider(5, 0.9, save(5))
    other = BestCheckpoint(best.folder, "val-core/other", "min")
    assert other.read() is None
    assert other.consider(10, 0.95, save(10))
    assert folders(best) == ["global_step_10"]


def test_what_else_lies_in_the_folder_is_left_alone(best, save):
    best.folder.mkdir()
    (best.folder / "notes.txt").write_text("mine")
    best.consider(5, 0.25, save(5))
    best.consider(10, 0.5, save(10))
    assert folders(best) == ["global_step_10", "notes.txt"]


def test_a_metric_that_the_validation_lacks_is_named_with_its_neighbours(best):
    assert best.value_of({METRIC: 0.5}) == 0.5
    with pytest.raises(ValueError, match="trainer.best_checkpoint.metric='val-core/task/acc/mean@4'") as caught:
        best.value_of({"val-core/task/acc/mean@8": 1.0, "val-aux/x": 0.0})
    assert "choose one of val-core/task/acc/mean@8" in str(caught.value)


def test_a_checkpoint_without_the_other_machines_files_is_not_kept(best, save):
    saved = save(5)
    check_all_ranks(saved)
    (saved / "actor" / "teacher_world_size_2_rank_1.pt").unlink()
    with pytest.raises(ValueError, match=r"lacks teacher.pt of ranks \[1\]"):
        best.consider(5, 0.5, saved)
    assert best.read() is None
