# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.checkpoint inspect` and `verify`: what they say, and their exit status."""

import json

import pytest

from tests.checkpoint.small_run import FILES, save, write_files
from verl_sdpo.checkpoint.__main__ import main
from verl_sdpo.checkpoint.report import size_text
from verl_sdpo.checkpoint.store import CheckpointStore


@pytest.fixture
def root(tmp_path):
    """Step 2 is whole, step 4 lacks a file, step 5 has no mark, and a save of step 6 goes on."""
    store = CheckpointStore(tmp_path)
    for step in (2, 4):
        save(store, step, facts={"data": {"num_rows": 24}})
    (tmp_path / "global_step_4" / FILES[0]).unlink()
    write_files(tmp_path / "global_step_5", 5)
    write_files(store.begin(6), 6)
    (tmp_path / "best" / "global_step_2").mkdir(parents=True)
    record = {"step": 2, "metric": "acc", "value": 0.5}
    (tmp_path / "best" / "global_step_2" / "best.json").write_text(json.dumps(record))
    return tmp_path


def all_files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_runs_folder_is_a_table_with_the_reasons_and_is_left_alone(root, capsys):
    before = all_files(root)
    assert main(["inspect", str(root)]) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line for line in said.splitlines() if line[0].isdigit()}
    assert "complete (newest)" in rows["2"]
    assert "damaged" in rows["4"]
    assert "not marked" in rows["5"]
    assert [row.split()[-2] for row in rows.values()] == ["2", "2", "2"]
    assert f"{FILES[0]} is missing" in said
    assert "tracker (latest_checkpointed_iteration.txt): 4" in said
    assert ".saving: a save that is going on" in said
    assert "best: step 2, acc 0.5" in said
    assert all_files(root) == before


def test_one_checkpoint_is_shown_in_full(root, capsys):
    assert main(["inspect", str(root / "global_step_2")]) == 0
    said = capsys.readouterr().out
    assert "num_rows: 24" in said
    assert 'verl: "0"' in said
    assert all(name in said for name in FILES)


def test_verify_reads_everything(root, capsys):
    assert main(["verify", str(root / "global_step_2")]) == 0
    path = root / "global_step_2" / "data.pt"
    path.write_bytes(b"x" * path.stat().st_size)
    assert main(["verify", str(root)]) == 1
    said = capsys.readouterr().out
    assert f"{path} has other bytes than were written" in said
    assert f"{root / 'global_step_4' / FILES[0]} is missing" in said


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_a_folder_without_checkpoints_is_no_table(tmp_path, capsys, command):
    assert main([command, str(tmp_path)]) == 1
    assert main([command, str(tmp_path / "nowhere")]) == 1
    assert "has no folder named global_step_<N>" in capsys.readouterr().err


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**40, "1.0 TiB")])
def test_sizes_are_readable(size, text):
    assert size_text(size) == text
