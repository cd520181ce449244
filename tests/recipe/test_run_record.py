# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a run's folder says about the run: at its end, after a failure, a signal, a kill."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from recipe import run_record
from recipe.run_metrics import join_metrics, put_metrics_aside
from recipe.run_record import state_of
from recipe.sweep_table import status_table

ROOT = Path(__file__).parents[2]
FACTS = ["--experiment", "science_qa", "--task", "chemistry", "--model", "Qwen/Qwen3-8B", "--method", "sdpo"]


# As a training run: it makes its step to the end, and has the exit status 0.
UNTIL_ASKED = (
    "import signal, sys, time; got = []\n"
    "for s in (2, 15): signal.signal(s, lambda n, _: got.append(n))\n"
    "print('ready', flush=True)\n"
    "while not got: time.sleep(0.02)\n"
    "time.sleep(0.3); print('got', len(got))\n"
)


def start(folder, program, *before, **variables):
    command = [sys.executable, "-m", "recipe.run_record", "--run", str(folder), *FACTS, "--seed", "3", "--"]
    return subprocess.Popen(
        [*before, *command, sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder, program, **variables):
    process = start(folder, program, **variables)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def status(folder):
    return json.loads((folder / "status.json").read_text())


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_ends_well_says_what_it_was_and_is_not_started_again(tmp_path):
    folder = tmp_path / "run"
    assert run(folder, "print('hello')")[0] == 0
    assert json.loads((folder / "run.json").read_text()) == {
        "experiment": "science_qa",
        "task": "chemistry",
        "model": "Qwen/Qwen3-8B",
        "method": "sdpo",
        "variant": "",
        "seed": 3,
        "smoke": False,
    }
    assert (status(folder)["state"], status(folder)["exit_status"]) == ("finished", 0)
    assert status(folder)["started"] <= status(folder)["ended"]
    exit_status, output = run(folder, "print('again')")
    assert (exit_status, "already finished" in output) == (0, True)
    assert (folder / "log.txt").read_text() == "hello\n"
    assert run(folder, "print('again')", RERUN="1")[0] == 0
    assert (folder / "log.txt").read_text() == "hello\nagain\n"


def test_a_failure_keeps_its_exit_status_and_shows_the_end_of_the_log(tmp_path):
    exit_status, output = run(tmp_path, "import sys; print('because'); sys.exit(5)")
    assert exit_status == 5
    assert (status(tmp_path)["state"], status(tmp_path)["exit_status"]) == ("failed", 5)
    assert "because" in output
    # It is started again.
    assert run(tmp_path, "")[0] == 0
    assert state_of(tmp_path) == "finished"


def ready(folder):
    return (folder / "log.txt").exists() and "ready" in (folder / "log.txt").read_text()


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_reaches_the_command_once_and_what_was_stopped_has_not_finished(tmp_path, number, expected):
    process = start(tmp_path, UNTIL_ASKED)
    until(lambda: ready(tmp_path))
    assert state_of(tmp_path) == "running"
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == expected
    assert (tmp_path / "log.txt").read_text().endswith("got 1\n")
    assert (status(tmp_path)["state"], state_of(tmp_path)) == ("failed", "stopped")


def test_a_closed_terminal_stops_the_run_as_sigterm_does(tmp_path):
    """The shell says so, and then the kernel once more: a second SIGTERM would end a training run without saving."""
    process = start(tmp_path, UNTIL_ASKED)
    until(lambda: ready(tmp_path))
    for _ in range(2):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
    process.communicate(timeout=60)
    assert process.returncode == 129
    assert (tmp_path / "log.txt").read_text().endswith("got 1\n")
    assert (status(tmp_path)["state"], state_of(tmp_path)) == ("failed", "stopped")


def test_a_signal_after_the_end_does_not_change_how_it_ended(tmp_path, monkeypatch):
    """While what the command has left is given its time."""
    monkeypatch.setattr(run_record, "_GRACE_SECONDS", 1.0)
    left = "trap '' TERM; touch {0}/ready; exec sleep 30"
    command = [
        "bash",
        "-c",
        f'bash -c "{left.format(tmp_path)}" & while ! test -e {tmp_path}/ready; do sleep 0.05; done',
    ]

    def ask():
        until(lambda: (tmp_path / "ready").exists())
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask)
    asking.start()
    facts = dict.fromkeys(("experiment", "task", "model", "method"), "x") | {"variant": "", "seed": 0, "smoke": False}
    try:
        assert run_record.run(tmp_path / "run", facts, command) == 0
    finally:
        asking.join()
    assert state_of(tmp_path / "run") == "finished"


def test_nohup_keeps_a_run_going(tmp_path):
    process = start(tmp_path, "import time; print('ready', flush=True); time.sleep(1)", "nohup")
    until(lambda: ready(tmp_path))
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert state_of(tmp_path) == "finished"


def test_a_second_start_is_refused_as_long_as_the_command_lives_even_if_its_recorder_was_killed(tmp_path):
    process = start(tmp_path, "import time; print('ready', flush=True); time.sleep(60)")
    until(lambda: ready(tmp_path))
    child = int(subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout)
    for _ in range(2):
        assert state_of(tmp_path) == "running"
        exit_status, output = run(tmp_path, "print('second')")
        assert exit_status == 1
        assert "another process is at work" in output
        process.kill()
        process.communicate(timeout=60)
    os.kill(child, signal.SIGKILL)
    until(lambda: state_of(tmp_path) == "interrupted")
    assert status(tmp_path)["state"] == "running"
    assert run(tmp_path, "print('second')")[0] == 0
    assert (tmp_path / "log.txt").read_text() == "ready\nsecond\n"


def test_who_looks_at_the_folder_for_a_moment_refuses_no_start(tmp_path):
    """state_of has the lock, shared, for the moment of its question."""
    with (tmp_path / ".lock").open("w+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        threading.Timer(0.3, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
        assert run_record.run(tmp_path, {}, ["true"]) == 0
    assert state_of(tmp_path) == "finished"


def test_a_run_that_ends_while_it_is_looked_at_was_not_interrupted(tmp_path, monkeypatch):
    (tmp_path / "status.json").write_text('{"state": "running", "exit_status": null}')

    def ended_meanwhile(folder):
        (folder / "status.json").write_text('{"state": "finished", "exit_status": 0}')
        return False

    monkeypatch.setattr(run_record, "is_locked", ended_meanwhile)
    assert state_of(tmp_path) == "finished"


def test_what_outlives_the_command_on_its_own_does_not_hold_the_folder(tmp_path):
    program = (
        "import subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "print(subprocess.Popen(sleep, close_fds=False, start_new_session=True).pid)\n"
    )
    assert run(tmp_path, program)[0] == 0
    daemon = int((tmp_path / "log.txt").read_text())
    try:
        assert run(tmp_path, "", RERUN="1")[0] == 0
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_workers_that_a_command_leaves_are_ended_with_it(tmp_path):
    """One that dies of a signal ends none of its own, and they may hold a GPU."""
    program = (
        "import os, signal, subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "print(subprocess.Popen(sleep).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run(tmp_path, program)[0] == 137
    worker = int((tmp_path / "log.txt").read_text())
    state = Path(f"/proc/{worker}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def write_metrics(folder, name, *steps):
    lines = [json.dumps({"step": step, "data": data}) for step, data in steps]
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_metrics_of_a_resumed_run_go_on_where_the_earlier_start_was_saved(tmp_path):
    write_metrics(tmp_path, "metrics.jsonl", (0, {"v": 0}), (1, {"a": 1}), (2, {"a": 2, "v": 2}), (3, {"a": "lost"}))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "da')
    put_metrics_aside(tmp_path)
    # It was saved after step 2: validation is logged under that step once more.
    write_metrics(tmp_path, "metrics.jsonl", (2, {"v": 22}), (3, {"a": 3}), (4, {"a": 4}))
    join_metrics(tmp_path)
    expected = [
        {"step": 0, "data": {"v": 0}},
        {"step": 1, "data": {"a": 1}},
        {"step": 2, "data": {"a": 2, "v": 22}},
        {"step": 3, "data": {"a": 3}},
        {"step": 4, "data": {"a": 4}},
    ]
    assert metrics(tmp_path) == expected
    join_metrics(tmp_path)
    assert metrics(tmp_path) == expected


def test_metrics_outlive_starts_that_log_nothing_and_kills_between(tmp_path):
    write_metrics(tmp_path, "metrics.jsonl", (1, {"a": 1}))
    for _ in range(3):
        put_metrics_aside(tmp_path)
    # The third start is killed as soon as verl has emptied its file.
    write_metrics(tmp_path, "metrics.jsonl")
    put_metrics_aside(tmp_path)
    join_metrics(tmp_path)
    assert metrics(tmp_path) == [{"step": 1, "data": {"a": 1}}]


def test_the_table_says_how_far_runs_are_and_leaves_blank_what_is_not_known(tmp_path):
    done, missing = tmp_path / "sdpo" / "seed0", tmp_path / "grpo" / "seed0"
    assert run(done, "")[0] == 0
    write_metrics(done, "metrics.jsonl", (0, {"val": 1}), (1, {"timing_s/step": 1800.0}), (2, {"timing_s/step": 900.0}))
    head, first, second, counts = status_table(tmp_path, [done, missing]).splitlines()
    assert first.split() == ["sdpo/seed0", "finished", "2", "0.75", "0"]
    assert second.split() == ["grpo/seed0", "missing"]
    assert counts == "1 finished, 1 missing"


def test_the_table_counts_the_steps_of_earlier_starts_while_a_resumed_run_goes_on(tmp_path):
    def told():
        return status_table(tmp_path.parent, [tmp_path]).splitlines()[1].split()[-2:]

    write_metrics(tmp_path, "metrics.jsonl", *((step, {"timing_s/step": 3600.0}) for step in range(1, 12)))
    put_metrics_aside(tmp_path)
    assert told() == ["11", "11.00"]
    # It was saved after step 10: the eleventh was made again.
    write_metrics(tmp_path, "metrics.jsonl", (10, {"v": 1}), (11, {"timing_s/step": 1800.0}))
    assert told() == ["11", "10.50"]
    join_metrics(tmp_path)
    assert told() == ["11", "10.50"]
