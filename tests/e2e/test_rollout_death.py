# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Whole runs of which a process that makes the rollouts is killed: each ends by itself, soon, and says what died."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.test_train_and_resume import START_SECONDS, is_dumped, overrides, write_inputs
from tests.e2e.training_run import TrainingRun

pytestmark = pytest.mark.long

# From the kill to the end of the process; half of it is for a machine with other work.
MOST_SECONDS = 60


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rollout_death")
    write_inputs(folder)
    return folder


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.parametrize(
    ("kind", "victim", "told"),
    [
        ("engine", "VLLM::EngineCore", ["RolloutDiedError: a rollout server has lost its engine: ", "EngineDeadError"]),
        ("server", "ray::StopReasonServer", ["RolloutDiedError: a rollout server died: "]),
        ("worker", "ray::StopReasonWorker", ["RolloutDiedError: an agent loop worker died: "]),
    ],
)
def test_a_run_ends_soon_after_the_death_and_says_what_died(inputs, kind, victim, told):
    run = TrainingRun(
        [
            *[each for each in overrides(inputs, kind) if not each.startswith("trainer.total_epochs")],
            "trainer.total_training_steps=1000",
            "trainer.total_epochs=1000",
            "trainer.save_freq=-1",
            "trainer.test_freq=-1",
        ],
        inputs / f"{kind}.log",
        {"VERL_FILE_LOGGER_PATH": str(inputs / f"{kind}.jsonl")},
    )
    run.wait_until(lambda: is_dumped(inputs / kind, 1), START_SECONDS)
    [process] = [process for process in run.processes() if title(process).startswith(victim)]
    process.kill()
    killed_at = time.monotonic()
    status, left = run.end(2 * MOST_SECONDS)
    assert time.monotonic() - killed_at < MOST_SECONDS
    assert status == 1
    assert left == []
    last_words = run.tail(60)
    assert all(text in last_words for text in told), last_words
