# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""scripts/stoppably.sh: what a script waits for ends with the script."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "stoppably.sh"


def program(command):
    return ["bash", "-c", f'set -euo pipefail; source "{SCRIPT}"; stoppably {command}; echo went on']


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_script_ends_the_command_and_nothing_behind_it_runs(tmp_path, number):
    def as_in_a_terminal():
        for each in (signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)

    wait = f"bash -c 'echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60'"
    script = subprocess.Popen(program(wait), stdout=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal)
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    script.send_signal(number)
    output, _ = script.communicate(timeout=10)
    assert (script.returncode, output) == (128 + number, "")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(("command", "expected"), [("true", (0, "went on\n")), ("exit 7", (7, "")), ("false", (1, ""))])
def test_a_command_that_ends_is_as_it_is_without_it(command, expected):
    ended = subprocess.run(program(f"bash -c '{command}'"), capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == expected
