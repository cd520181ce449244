# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a killed run goes on from: whatever moment it was killed at, no attempt is lost that has a verdict before it."""

import json
import os

import pytest

from verl_sdpo.test_time.recorder import Recorder
from verl_sdpo.test_time.run_files import RunFiles
from verl_sdpo.test_time.turns import Turn

IDENTITY = {"method": "sdpo", "seed": 0, "budget": 8}


def turn(attempt, **changes):
    values = {"attempt": attempt, "response": f"r{attempt}", "score": 0.0, "success": False, "feedback": "no"}
    return Turn(**values | changes)


def record(files, question, attempts, judged=None):
    for attempt in attempts:
        files.write_attempt(question, attempt, 1, f"r{attempt}")
    for attempt in attempts if judged is None else judged:
        files.write_verdict(question, turn(attempt))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_turns_come_back_as_they_were_written(tmp_path):
    files = RunFiles(tmp_path)
    written = [turn(1), turn(2, score=0.25, feedback="line\none \u2028 \U0001f600"), turn(3, judged=False)]
    for each in written:
        files.write_attempt("5", each.attempt, 9, each.response, response_tokens=3)
        files.write_verdict("5", each)
    assert RunFiles(tmp_path).read_turns() == {"5": written}
    assert lines(tmp_path / "attempts.jsonl")[0] == {
        "question": "5",
        "attempt": 1,
        "step": 9,
        "response": "r1",
        "response_tokens": 3,
    }
    assert lines(tmp_path / "verdicts.jsonl")[1] == {
        "question": "5",
        "attempt": 2,
        "score": 0.25,
        "success": False,
        "feedback": "line\none \u2028 \U0001f600",
        "judged": True,
    }


def test_attempts_count_up_to_the_first_without_a_verdict(tmp_path):
    files = RunFiles(tmp_path)
    record(files, "1", [2, 1, 4, 3, 5], judged=[4, 1, 2])
    record(files, "2", [1], judged=[])
    assert {name: [each.attempt for each in turns] for name, turns in files.read_turns().items()} == {
        "1": [1, 2],
        "2": [],
    }


def test_what_is_made_again_is_taken_out_and_kept_apart(tmp_path):
    files = RunFiles(tmp_path)
    record(files, "1", [1, 2, 3, 4], judged=[1, 2, 4])
    record(files, "2", [1, 2])
    assert files.keep({"1": 2, "2": 2}) == 2
    assert [(line["question"], line["attempt"]) for line in lines(tmp_path / "attempts.jsonl")] == [
        ("1", 1),
        ("1", 2),
        ("2", 1),
        ("2", 2),
    ]
    assert len(lines(tmp_path / "verdicts.jsonl")) == 4
    assert [line["attempt"] for line in lines(tmp_path / "dropped.jsonl")] == [4, 3, 4]
    # And again: nothing is left to do.
    assert files.keep({"1": 2, "2": 2}) == 0


@pytest.mark.parametrize("cut", [1, 10, 30])
@pytest.mark.parametrize("name", ["attempts.jsonl", "verdicts.jsonl"])
def test_half_a_line_at_the_end_is_no_line_and_spoils_none_that_follows(tmp_path, name, cut):
    files = RunFiles(tmp_path)
    record(files, "1", [1, 2, 3])
    path = tmp_path / name
    os.truncate(path, path.stat().st_size - cut)
    kept = len(files.read_turns()["1"])
    assert kept == 2
    files.keep({"1": kept})
    record(files, "1", [3, 4])
    assert [each.attempt for each in files.read_turns()["1"]] == [1, 2, 3, 4]
    assert all(len(lines(tmp_path / each)) == 4 for each in ("attempts.jsonl", "verdicts.jsonl"))


def test_what_was_spent_is_of_the_attempts_that_are_kept(tmp_path):
    files = RunFiles(tmp_path)
    assert files.read_spent() is None
    for step in (1, 2, 3):
        files.write_attempt("1", step, step, "r")
        files.write_verdict("1", turn(step))
        files.write_spent(step, {"seconds": 1.5 * step, "generations": step})
    assert files.read_spent() == {"step": 3, "seconds": 4.5, "generations": 3}
    # A step that was killed: its attempts were paid for, its time is not known.
    files.write_attempt("1", 4, 4, "r")
    assert files.read_spent() == {"step": 4, "seconds": 4.5, "generations": 4}
    files.keep({"1": 2})
    assert files.read_spent() == {"step": 2, "seconds": 3.0, "generations": 2}
    assert [line["step"] for line in lines(tmp_path / "spent.jsonl")] == [1, 2]
    # Half a line at the end is none, also for what is written after it.
    os.truncate(tmp_path / "spent.jsonl", (tmp_path / "spent.jsonl").stat().st_size - 3)
    assert files.read_spent() == {"step": 2, "seconds": 1.5, "generations": 2}
    files.keep({"1": 2})
    files.write_spent(2, {"seconds": 3.5, "generations": 2})
    assert files.read_spent() == {"step": 2, "seconds": 3.5, "generations": 2}
    # A folder from before there was such a file.
    (tmp_path / "spent.jsonl").unlink()
    assert files.read_spent() == {"step": 2, "generations": 2}
    files.keep({})
    assert files.read_spent() is None


def test_a_kill_while_dropping_leaves_what_can_be_dropped_again(tmp_path, monkeypatch):
    from verl_sdpo.test_time import run_files

    files = RunFiles(tmp_path)
    record(files, "1", [1, 2, 3])
    write = run_files.write_whole

    def dies_at_attempts(path, text):
        if path.name == "attempts.jsonl":
            raise KeyboardInterrupt
        write(path, text)

    monkeypatch.setattr(run_files, "write_whole", dies_at_attempts)
    with pytest.raises(KeyboardInterrupt):
        files.keep({"1": 1})
    monkeypatch.undo()
    assert [each.attempt for each in files.read_turns()["1"]] == [1]
    files.keep({"1": 1})
    assert len(lines(tmp_path / "attempts.jsonl")) == len(lines(tmp_path / "verdicts.jsonl")) == 1


def test_results_are_of_one_method_seed_and_budget(tmp_path):
    files = RunFiles(tmp_path)
    assert files.read_results(IDENTITY) == {}
    files.write_results(IDENTITY, {"1": {"first_success": 3, "generations": 4}})
    assert files.read_results(IDENTITY) == {"1": {"first_success": 3, "generations": 4}}
    assert json.loads((tmp_path / "results.json").read_text())["method"] == "sdpo"
    for key, other in (("method", "multi_turn"), ("seed", 1), ("budget", 16)):
        with pytest.raises(ValueError, match=f"holds a run with {key}="):
            files.read_results(IDENTITY | {key: other})


def test_a_line_is_on_the_disk_before_anything_else_happens(tmp_path, monkeypatch):
    files, synced = RunFiles(tmp_path), []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd)))
    files.write_attempt("1", 1, 1, "r")
    assert str(tmp_path / "attempts.jsonl") in synced


def test_the_recorder_writes_attempts_first_and_says_what_became_of_them(tmp_path):
    recorder = Recorder(str(tmp_path), threshold=0.5)
    recorder.attempt("1", 1, 3, "one")
    assert len(lines(tmp_path / "attempts.jsonl")) == 1
    assert not (tmp_path / "verdicts.jsonl").exists()
    recorder.verdict("1", 1, 0.4, {"feedback": "nearly"})
    recorder.attempt("1", 2, 3, "two")
    recorder.verdict("1", 2, 0.5, None)
    recorder.attempt("1", 3, 3, "three")
    recorder.verdict("1", 3, 1.0, {"sandbox_error": 1.0, "feedback": "no sandbox"})
    # Number 4 was made and never scored, number 5 never made.
    recorder.attempt("1", 4, 3, "four")
    taken = recorder.take("1", 3, range(1, 6))
    assert [(each.attempt, each.response, each.success, each.judged) for each in taken] == [
        (1, "one", False, True),
        (2, "two", True, True),
        (3, "three", False, False),
        (4, "four", False, False),
        (5, "", False, False),
    ]
    assert [each.feedback for each in taken[:3]] == ["nearly", "", "no sandbox"]
    assert RunFiles(tmp_path).read_turns()["1"] == taken
