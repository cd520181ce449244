# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Whole runs of which one reward call never returns, and which are told to stop: once, and twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.test_train_and_resume import BATCH, START_SECONDS, is_dumped, logged, overrides, write_inputs
from tests.e2e.training_run import TrainingRun

pytestmark = pytest.mark.e2e

STEPS = 40


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stops")
    write_inputs(folder)
    return folder


def start(folder: Path, name: str, *more: str) -> TrainingRun:
    return TrainingRun(
        [
            *[each for each in overrides(folder, name) if not each.startswith(("reward.", "trainer.total_epochs"))],
            f"reward.custom_reward_function.path={Path(__file__).with_name('hanging_reward.py')}",
            f"trainer.total_training_steps={STEPS}",
            "trainer.total_epochs=100",
            "trainer.save_freq=1000",
            "trainer.test_freq=-1",
            f"trainer.default_local_dir={folder}/{name}_checkpoints",
            "trainer.watchdog_seconds=5",
            *more,
        ],
        folder / f"{name}.log",
        {"VERL_FILE_LOGGER_PATH": str(folder / f"{name}.jsonl"), "HANG_ONCE": str(folder / f"{name}.hangs")},
    )


def test_a_hanging_reward_costs_its_sample_and_is_named_and_sigterm_saves_and_exits_0(inputs):
    run = start(inputs, "once", "trainer.reward_timeout=20")
    run.wait_until(lambda: is_dumped(inputs / "once", 1), START_SECONDS)
    run.send(signal.SIGTERM)
    status, left = run.end(120)
    assert status == 0, run.tail()
    assert left == []
    steps = logged(inputs, "once")
    assert steps[1]["reward/sandbox_error_fraction"] == 1 / (2 * BATCH)
    text = run.log.read_text(errors="replace")
    assert "in: rollouts" in text
    assert "waits for reward for" in text
    assert "did not answer in 20 s (trainer.reward_timeout)" in text
    # The step that it was in is made, logged and saved, though no save was due.
    last = max(steps)
    assert last < STEPS
    checkpoints = inputs / "once_checkpoints"
    assert (checkpoints / "latest_checkpointed_iteration.txt").read_text() == str(last)
    assert (checkpoints / f"global_step_{last}" / "actor" / "model_world_size_1_rank_0.pt").exists()


def test_a_second_signal_ends_a_run_at_once_whose_step_never_ends(inputs):
    run = start(inputs, "twice", "trainer.reward_timeout=null")
    run.wait_until(lambda: "waits for reward for" in run.log.read_text(errors="replace"), START_SECONDS)
    run.send(signal.SIGTERM)
    time.sleep(3)
    run.send(signal.SIGTERM)
    began = time.monotonic()
    status, left = run.end(60)
    assert time.monotonic() - began < 15
    assert status == 128 + signal.SIGTERM, run.tail()
    assert left == []
    assert not (inputs / "twice_checkpoints" / "latest_checkpointed_iteration.txt").exists()
