# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`trainer.full_determinism` on the whole stack: three runs, three steps each, that must be one and the same.

The second does what the first did, in a folder of its own. The third goes on from what the first had saved after its
first step, as after a kill. With two workers for the rollouts, samples come in another order in each run.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.e2e.run_folder import is_equal, leaves, logged, write_inputs
from tests.e2e.training_run import TrainingRun

STEPS = 3
SAMPLES = 8
RUN_SECONDS = 400
pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(3 * RUN_SECONDS + 60)]
KINDS = ("model", "optim", "teacher", "extra_state")
# What is about seconds, and about the machine's memory.
NOT_COMPARED = re.compile(
    r"timing_s/|timing_per_token_ms/|(?:actor/)?perf/|budget/seconds|self_distillation/teacher_seconds"
)


def overrides(inputs: Path, folder: Path) -> list[str]:
    return [
        "trainer.full_determinism=true",
        f"data.train_files={inputs}/train.parquet",
        f"data.val_files={inputs}/test.parquet",
        "data.train_batch_size=4",
        "data.max_prompt_length=256",
        "data.max_response_length=16",
        "reward.custom_reward_function.path=pkg://verl_sdpo.rewards",
        f"actor_rollout_ref.model.path={inputs}/model",
        "actor_rollout_ref.actor.ppo_mini_batch_size=2",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2",
        # Large, so that a difference in one token is one in every later weight.
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "actor_rollout_ref.actor.self_distillation.teacher_update_rate=0.5",
        "actor_rollout_ref.rollout.n=2",
        "actor_rollout_ref.rollout.agent.num_workers=2",
        "actor_rollout_ref.rollout.val_kwargs.temperature=1.0",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=2",
        "actor_rollout_ref.rollout.max_model_len=512",
        "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=16",
        "trainer.total_epochs=1",
        f"trainer.total_training_steps={STEPS}",
        "trainer.save_freq=1",
        "trainer.test_freq=3",
        "trainer.val_before_train=false",
        "trainer.logger=[console,file]",
        f"trainer.default_local_dir={folder}/checkpoints",
        f"trainer.rollout_data_dir={folder}/rollouts",
        f"hydra.run.dir={folder}/hydra",
    ]


def train(inputs: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    run = TrainingRun(
        overrides(inputs, folder), folder / "log", {"VERL_FILE_LOGGER_PATH": str(folder / "metrics.jsonl")}
    )
    assert run.wait(RUN_SECONDS) == 0, run.tail()


def leave_first_step(whole: Path, folder: Path) -> None:
    """Make a folder as a run leaves it that was killed after saving its first step."""
    checkpoints = folder / "checkpoints"
    shutil.copytree(whole / "checkpoints", checkpoints)
    for step in range(2, STEPS + 1):
        shutil.rmtree(checkpoints / f"global_step_{step}")
    (checkpoints / "latest_checkpointed_iteration.txt").write_text("1")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder with the runs' folders: whole, again, resumed."""
    folder = tmp_path_factory.mktemp("determinism")
    write_inputs(folder)
    train(folder, folder / "whole")
    train(folder, folder / "again")
    leave_first_step(folder / "whole", folder / "resumed")
    train(folder, folder / "resumed")
    return folder


def saved(run: Path, step: int, kind: str) -> dict[str, object]:
    path = run / "checkpoints" / f"global_step_{step}" / "actor" / f"{kind}_world_size_1_rank_0.pt"
    return leaves(torch.load(path, weights_only=False))


def is_same(left: object, right: object) -> bool:
    # The state of numpy's generator is an array.
    return np.array_equal(left, right) if isinstance(left, np.ndarray) else is_equal(left, right)


def metrics_of(run: Path, step: int) -> dict[str, float]:
    found = logged(run, "metrics")[step]
    return {name: value for name, value in found.items() if not NOT_COMPARED.match(name)}


def rollouts(run: Path, step: int) -> list[dict]:
    return [json.loads(line) for line in (run / "rollouts" / f"{step}.jsonl").read_text().splitlines()]


def test_the_runs_have_trained_on_samples_that_differ(runs):
    assert metrics_of(runs / "whole", 1)["actor/grad_norm"] > 0
    first, last = saved(runs / "whole", 1, "model"), saved(runs / "whole", STEPS, "model")
    assert any(not is_equal(first[name], last[name]) for name in first)
    for step in range(1, STEPS + 1):
        samples = rollouts(runs / "whole", step)
        assert len(samples) == SAMPLES
        # Rollouts of one prompt too: verl's own switch makes them equal.
        assert len({(sample["input"], sample["output"]) for sample in samples}) == SAMPLES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("other", "step"), [("again", 1), ("again", STEPS), ("resumed", STEPS)])
def test_every_saved_tensor_is_equal_bit_for_bit(runs, other, step, kind):
    left, right = saved(runs / "whole", step, kind), saved(runs / other, step, kind)
    assert left
    assert left.keys() == right.keys()
    assert [name for name in left if not is_same(left[name], right[name])] == []


@pytest.mark.parametrize(("other", "step"), [("again", 1), ("again", 2), ("again", 3), ("resumed", 2), ("resumed", 3)])
def test_metrics_are_equal(runs, other, step):
    left, right = metrics_of(runs / "whole", step), metrics_of(runs / other, step)
    assert left.keys() == right.keys()
    assert {name: (left[name], right[name]) for name in left if repr(left[name]) != repr(right[name])} == {}
    assert any(name.startswith("val-core/") for name in left) == (step == STEPS)


@pytest.mark.parametrize(("other", "step"), [("again", 1), ("again", 3), ("resumed", 2), ("resumed", 3)])
def test_rollouts_are_equal_and_in_the_same_order(runs, other, step):
    assert rollouts(runs / "whole", step) == rollouts(runs / other, step)
