# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Whole runs whose reward begins to fail at every response: how they end, and what they leave as it was."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from tests.e2e.run_folder import is_equal, leaves, logged
from tests.e2e.test_train_and_resume import START_SECONDS, is_dumped, overrides, write_inputs
from tests.e2e.training_run import TrainingRun

pytestmark = pytest.mark.long

REWARD = Path(__file__).with_name("raising_reward.py")
# For a reward worker to be started anew twice, on a machine with other work.
MOST_SECONDS = 240


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("failing")
    write_inputs(folder)
    return folder


def start(folder: Path, name: str, by: str, *more: str) -> TrainingRun:
    return TrainingRun(
        [
            *[each for each in overrides(folder, name) if not each.startswith(("reward.", "trainer.total_epochs"))],
            f"reward.custom_reward_function.path={REWARD}",
            "trainer.total_training_steps=30",
            "trainer.total_epochs=100",
            "trainer.test_freq=-1",
            f"trainer.default_local_dir={folder}/{name}_checkpoints",
            *more,
        ],
        folder / f"{name}.log",
        {"VERL_FILE_LOGGER_PATH": str(folder / f"{name}.jsonl"), "FAIL_FROM": f"{folder}/{name}.fails", "FAIL_BY": by},
    )


def fail_after_the_first_step(folder: Path, name: str, run: TrainingRun) -> tuple[int, float]:
    """Exit status of the run, and seconds from the first failure to its end."""
    run.wait_until(lambda: is_dumped(folder / name, 1), START_SECONDS)
    (folder / f"{name}.fails").touch()
    began = time.monotonic()
    status, left = run.end(MOST_SECONDS)
    assert left == []
    return status, time.monotonic() - began


def saved(folder: Path, name: str, step: int, kind: str) -> dict[str, object]:
    path = folder / f"{name}_checkpoints" / f"global_step_{step}" / "actor" / f"{kind}_world_size_1_rank_0.pt"
    return leaves(torch.load(path, weights_only=False))


def test_steps_without_any_verdict_change_nothing_and_end_the_run_with_the_first_traceback(inputs):
    more = ("trainer.max_sandbox_error_fraction=null", "trainer.max_steps_without_update=3", "trainer.save_freq=1")
    run = start(inputs, "raises", "error", *more)
    status, _ = fail_after_the_first_step(inputs, "raises", run)
    assert status == 1
    steps = logged(inputs, "raises")
    last = max(steps)
    assert [steps[step]["reward/no_verdict_batch"] for step in range(last - 2, last + 1)] == [1.0] * 3
    assert [steps[step]["training/steps_without_update"] for step in range(last - 2, last + 1)] == [1.0, 2.0, 3.0]
    assert steps[1]["actor/grad_norm"] > 0
    assert steps[1]["reward/worker_restarts"] == 0.0
    for kind in ("model", "optim", "teacher"):
        before, after = saved(inputs, "raises", last - 3, kind), saved(inputs, "raises", last, kind)
        assert before.keys() == after.keys()
        assert [name for name in before if not is_equal(before[name], after[name])] == []
    schedules = [
        {name: value for name, value in saved(inputs, "raises", step, "extra_state").items() if "lr_scheduler" in name}
        for step in (last - 3, last)
    ]
    assert schedules[0]
    assert schedules[0] == schedules[1]
    last_words = run.tail(60)
    assert "NoUpdateError: 3 steps in a row have updated nothing (3 for no sample with a verdict)" in last_words
    assert "raising_reward.py" in last_words
    assert "KeyError: 'the column that came too late'" in last_words


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("error", ["raising_reward.py", "KeyError: 'the column that came too late'"]),
        ("death", ["no reward worker lived to score the response, in up to 3 attempts"]),
    ],
)
def test_a_reward_that_fails_at_every_response_ends_the_run_soon_with_its_own_error(inputs, by, told):
    run = start(inputs, by, by, "trainer.save_freq=-1")
    status, _ = fail_after_the_first_step(inputs, by, run)
    assert status == 1
    last_words = run.tail(60)
    assert "NoVerdictError: " in last_words
    assert all(text in last_words for text in told), last_words
    if by == "death":
        assert max(step.get("reward/worker_restarts", 0.0) for step in logged(inputs, by).values()) <= 3.0
