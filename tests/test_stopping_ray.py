# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A signal's way from the process that starts a run to an actor of Ray's, and what is left of Ray then.

In place of verl's `run_ppo` is one that does with Ray what that does, and a task runner that waits until it is asked.
"""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

PROGRAM = """
import ray, sys, time
from verl_sdpo import main_sdpo

class Runner:
    def run(self):
        from verl_sdpo.trainer.stop_request import asked_to_stop
        assert asked_to_stop() is None
        print("running", flush=True)
        while (why := asked_to_stop()) is None:
            time.sleep(0.1)
        print("stops for", why, flush=True)

main_sdpo.task_runner_class = lambda extend: ray.remote(num_cpus=0)(Runner)
hangs = "hangs" in sys.argv

def run_ppo(runner_class):
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=True)
    runner = runner_class.options(runtime_env={"env_vars": {"NOTHING": "1"}}).remote()
    ray.get(runner.run.remote())
    while hangs:
        ray.get(ray.put(1))

main_sdpo._run_until_asked(run_ppo)
print("ended well", flush=True)
"""


@pytest.fixture
def start(tmp_path):
    """`start("hangs")`: such a process once its actor runs, and all processes that came from it; killed in the end."""
    (tmp_path / "program.py").write_text(PROGRAM)
    started = []

    def run(*arguments):
        log = tmp_path / "log"
        command = [sys.executable, tmp_path / "program.py", *arguments]
        process = subprocess.Popen(command, stdout=log.open("wb"), stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 120
        while "running" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        me = psutil.Process(process.pid)
        started.extend([me, *me.children(recursive=True)])
        assert len(started) > 3
        return process, log, started[1:]

    yield run
    for process in started:
        if process.is_running():
            process.kill()


def living(processes):
    """What is left after a moment: a kill that was sent takes effect in its own time."""
    deadline = time.monotonic() + 5
    while _alive(processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    return _alive(processes)


def _alive(processes):
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_reaches_the_actor_and_nothing_of_ray_is_left(start, number, status):
    process, log, children = start()
    os.kill(process.pid, number)
    assert process.wait(90) == status, log.read_text()
    assert f"stops for {number.name}" in log.read_text()
    assert ("ended well" in log.read_text()) == (status == 0)
    assert living(children) == []


def test_a_second_signal_leaves_nothing_of_ray(start):
    process, log, children = start("hangs")
    os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while "stops for SIGTERM" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 143, log.read_text()
    assert living(children) == []
