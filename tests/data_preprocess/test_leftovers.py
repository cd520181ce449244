# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a killed run leaves, and what the next one makes of it."""

import fcntl
import os
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from data_preprocess import generic, leftovers, writer
from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.writer import Outputs
from tests.data_preprocess.command_line import ROOT, write_lines

# A run that has written some rows, says so, and waits.
WRITES_AND_WAITS = """
import sys
from pathlib import Path
from data_preprocess import writer
from tests.data_preprocess.test_leftovers import one_row

writer.MAX_GROUP_ROWS = 2
with writer.Outputs(Path(sys.argv[1])) as outputs:
    file = outputs.open("train.parquet", "source")
    for index in range(5):
        file.write(one_row(index))
    print("written", flush=True)
    sys.stdin.read()
"""


def one_row(index=0):
    return make_row(
        data_source="none/x",
        prompt=chat_prompt(f"Q{index}?"),
        ground_truth="A",
        ability="test",
        split="train",
        index=index,
    )


@pytest.fixture
def running(tmp_path):
    command = [sys.executable, "-c", WRITES_AND_WAITS, str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.communicate()


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def number_of_a_dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write_one(folder, name="train.parquet"):
    with Outputs(folder) as outputs:
        outputs.open(name, "source").write(one_row())
        outputs.commit()
    return outputs.cleared[folder / name]


def test_what_a_killed_run_left_is_removed_and_told_by_the_command(running, tmp_path, capsys):
    out = tmp_path / "out"
    [left] = hidden(out)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert hidden(out) == [left]
    write_lines(tmp_path / "train.jsonl", [{"q": "Why?"}])
    where = ["--input", str(tmp_path / "train.jsonl"), "--output", str(out)]
    assert generic.main([*where, "--prompt-column", "q"]) == 0
    assert f"note: train: {left}, left by a run that was killed, was removed\n" in capsys.readouterr().out
    assert [path.name for path in out.iterdir()] == ["train.parquet"]


def test_the_files_of_a_run_that_lives_are_let_be(running, tmp_path, monkeypatch):
    out = tmp_path / "out"
    [held] = hidden(out)
    assert write_one(out) == []
    # As from another machine, where its number says nothing.
    monkeypatch.setattr(os, "kill", lambda *_: (_ for _ in ()).throw(ProcessLookupError))
    assert write_one(out) == []
    assert hidden(out) == [held]


def test_a_file_of_a_number_that_is_alive_is_let_be_and_so_are_files_of_others(tmp_path):
    dead = number_of_a_dead_process()
    kept = [
        f".train.parquet.{os.getppid()}.tmp",
        f".test.parquet.{dead}.tmp",
        f".train.parquet.{dead}.tmp.mine",
        ".train.parquet.mine.tmp",
        f"train.parquet.{dead}.tmp",
        f".trainXparquet.{dead}.tmp",
    ]
    for name in [*kept, f".train.parquet.{dead}.tmp"]:
        (tmp_path / name).write_text("x")
    (tmp_path / f".train.parquet.{dead}.old").mkdir()
    told = write_one(tmp_path)
    assert told == [f".train.parquet.{dead}.tmp, left by a run that was killed, was removed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*kept, f".train.parquet.{dead}.old", "train.parquet"]
    )


def test_our_own_number_was_another_process_s_when_nobody_holds_the_file(tmp_path):
    (tmp_path / f".train.parquet.{os.getpid()}.tmp").write_text("x")
    assert len(write_one(tmp_path)) == 1
    assert hidden(tmp_path) == []


def test_a_backup_is_put_back_where_its_file_is_missing_and_removed_elsewhere(tmp_path):
    backup = tmp_path / f".train.parquet.{number_of_a_dead_process()}.old"
    backup.write_text("good")
    with Outputs(tmp_path) as outputs:
        outputs.open("train.parquet", "source")
    assert outputs.cleared[tmp_path / "train.parquet"] == [
        f"{backup.name}, left by a run that was killed, is train.parquet again"
    ]
    assert (tmp_path / "train.parquet").read_text() == "good"
    backup.write_text("older")
    assert write_one(tmp_path) == [f"{backup.name}, left by a run that was killed, was removed"]
    assert pq.read_metadata(tmp_path / "train.parquet").num_rows == 1


def test_a_backup_is_let_be_while_its_run_may_still_need_it(tmp_path):
    # Midway through the replacement, on another machine: the new file is in place and held.
    backup = tmp_path / f".train.parquet.{number_of_a_dead_process()}.old"
    backup.write_text("good")
    with (tmp_path / "train.parquet").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with Outputs(tmp_path) as outputs:
            outputs.open("train.parquet", "source")
    assert outputs.cleared[tmp_path / "train.parquet"] == []
    assert backup.read_text() == "good"


def test_a_run_is_held_until_all_of_its_files_are_in_place(tmp_path, monkeypatch):
    """Looked at before and after each move, by the same process, whose own number counts as another's."""
    for name in ("train.parquet", "test.parquet"):
        write_one(tmp_path, name)
    replace, seen = os.replace, []

    def look():
        seen.append(hidden(tmp_path))
        assert leftovers.clear(tmp_path / "train.parquet") == []
        assert leftovers.clear(tmp_path / "test.parquet") == []
        assert hidden(tmp_path) == seen[-1]

    def watched(source, target):
        look()
        replace(source, target)
        look()

    monkeypatch.setattr(writer.os, "replace", watched)
    with Outputs(tmp_path) as outputs:
        for name in ("train.parquet", "test.parquet"):
            outputs.open(name, "source").write(one_row())
        outputs.commit()
    assert [len(names) for names in seen] == [3, 2, 3, 2]
    assert hidden(tmp_path) == []


def test_where_locks_do_not_work_nothing_is_removed(tmp_path, monkeypatch):
    left = tmp_path / f".train.parquet.{number_of_a_dead_process()}.tmp"
    left.write_text("x")

    def no_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert write_one(tmp_path) == []
    assert hidden(tmp_path) == [left.name]
