# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run that is killed while it saves, at random instants and at each change that it makes to the disk."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.checkpoint.small_run import is_of_step, save
from verl_sdpo.checkpoint.manifest import NAME
from verl_sdpo.checkpoint.store import STAGING, CheckpointStore

REPOSITORY = Path(__file__).parents[2]
NUM_KILLS = 20
# Of a process that saves without end: several saves long, as long as the machine takes for some.
LONGEST_LIFE = 0.4
# What changes the disk, by the names of Python's audit events (`os.replace` is a rename too).
CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def run_and_kill(root, keep, seconds):
    """Let a run save for so long, then SIGKILL; the last step that it said it had saved, 0 if none."""
    command = [sys.executable, "-m", "tests.checkpoint.small_run", str(root), str(keep)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    assert process.poll() is None, "it ended by itself"
    process.send_signal(signal.SIGKILL)
    said = [line.split() for line in process.communicate()[0].splitlines()]
    return max((int(step) for word, step in said if word == "saved"), default=0)


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_killed_at_twenty_random_instants_always_goes_on_and_loses_at_most_one_save(tmp_path, keep):
    random_source = random.Random(keep)
    store = CheckpointStore(tmp_path)
    last, num_interrupted = 0, 0
    for _ in range(NUM_KILLS):
        last = max(last, run_and_kill(tmp_path, keep, random_source.uniform(0, LONGEST_LIFE)))
        num_interrupted += (tmp_path / STAGING).exists()
        choice = store.choose()
        if last == 0:
            continue
        # Nothing that was said to be saved is lost; at most the next step had got complete too.
        assert last <= choice.manifest.step <= last + 1
        assert is_of_step(choice.folder, choice.manifest.step)
        last = choice.manifest.step
    assert last >= NUM_KILLS
    assert num_interrupted >= NUM_KILLS // 4, "hardly a kill fell into a save: the test tries nothing"
    save(store, last + 1, keep)
    assert [entry.step for entry in store.entries()] == list(range(last + 2 - keep, last + 2))
    assert not (tmp_path / STAGING).exists()


def save_and_die(store, step, keep, number):
    """In a process of its own: save, and die by SIGKILL before the change of this number; whether it died."""
    child = os.fork()
    if child == 0:
        left = [number]

        def before_change(event, arguments):
            # A file that is only read is opened with mode "r" or "rb".
            is_read = event == "open" and not set(str(arguments[1])) & set("wax+")
            if event in CHANGES and not is_read:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(before_change)
        try:
            save(store, step, keep)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("keep", [1, 2, None])
@pytest.mark.parametrize("is_second_time", [False, True], ids=["a new step", "a step that an earlier run had saved"])
def test_before_each_change_to_the_disk_there_is_a_whole_checkpoint(tmp_path, keep, is_second_time):
    number, seen = 0, set()
    # With the second one a run had gone back to step 2 and comes by step 3 again.
    for step in (1, 2, 3, 2) if is_second_time else (1, 2):
        save(CheckpointStore(tmp_path / "before"), step)
    while True:
        store = CheckpointStore(tmp_path / str(number))
        shutil.copytree(tmp_path / "before", store.root)
        has_died = save_and_die(store, 3, keep, number)
        if not has_died:
            break
        if not is_second_time:
            # For verl's own trainer too, which knows nothing of a staging folder.
            assert (store.root / f"global_step_{store.tracker()}").is_dir()
        was_complete = (store.staging / "global_step_3" / NAME).exists()
        choice = store.choose()
        assert choice.manifest.step == 3 or not was_complete
        assert choice.manifest.step in (2, 3), f"killed before change {number}"
        assert is_of_step(choice.folder, choice.manifest.step)
        seen.add(choice.manifest.step)
        assert not (store.root / STAGING).exists()
        number += 1
    assert number > 12
    assert seen == {2, 3}
