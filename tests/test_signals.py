# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What two signals do to a process that runs verl_sdpo, before real processes and real signals."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

# Starts a child that has a session of its own and ignores SIGTERM, as it does itself.
CHILD = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "if len(sys.argv) > 1:\n"
    "    subprocess.Popen([sys.executable, __file__], start_new_session=True)\n"
    "time.sleep(300)\n"
)
PROGRAM = """
import subprocess, sys, threading, time
from verl_sdpo import signals
signals.GRACE_SECONDS = 1.0
child, ends = sys.argv[1], sys.argv[2] == "ends"
asked = threading.Event()
def ask(name):
    print("asked", name, threading.current_thread() is threading.main_thread(), flush=True)
    asked.set()
handlers = signals.StopSignals(ask)
handlers.install()
earlier = subprocess.Popen([sys.executable, child])
with signals.nothing_left_behind(lambda: print("shut down", flush=True)):
    subprocess.Popen([sys.executable, child, "with a child"], start_new_session=True)
    print("ready", flush=True)
    while not (ends and asked.is_set()):
        time.sleep(0.05)
print("earlier", earlier.poll(), flush=True)
earlier.kill()
sys.exit(handlers.exit_status())
"""


@pytest.fixture
def start(tmp_path):
    """`start("ends")`: such a process once its children run, and they; all are killed in the end."""
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "program.py").write_text(PROGRAM)
    started = []

    def run(how):
        command = [sys.executable, tmp_path / "program.py", tmp_path / "child.py", how]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        me = psutil.Process(process.pid)
        deadline = time.monotonic() + 30
        while len(children := me.children(recursive=True)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started.extend([me, *children])
        # A child that has not come to ignoring SIGTERM would end of it.
        time.sleep(0.5)
        return process, children

    yield run
    for process in started:
        if process.is_running():
            process.kill()


def lives(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_first_signal_asks_and_the_run_ends_by_itself_with_nothing_left(start, number, status):
    process, children = start("ends")
    os.kill(process.pid, number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == status
    # In a thread of its own; what was there before the run is not the run's to end.
    assert output.splitlines() == [f"asked {number.name} False", "shut down", "earlier None"]
    assert f"{number.name}: the run ends after the step that it is in" in errors
    assert not any(map(lives, children))


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [(signal.SIGTERM, signal.SIGTERM, 143), (signal.SIGINT, signal.SIGINT, 130), (signal.SIGTERM, signal.SIGINT, 130)],
)
def test_the_second_signal_ends_all_at_once(start, first, second, status):
    process, children = start("never ends")
    os.kill(process.pid, first)
    assert process.stdout.readline() == f"asked {first.name} False\n"
    assert all(map(lives, children))
    os.kill(process.pid, second)
    began = time.monotonic()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert output == ""
    assert "at once, without a checkpoint" in errors
    assert not any(map(lives, children))
    assert time.monotonic() - began < 10
