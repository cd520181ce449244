# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The whole stack as a user runs it: Ray, TransferQueue, vLLM, FSDP2, checkpoints. Two runs, one of them killed.

The first run trains with SDPO, saves after step 2 and dies by SIGKILL in the midst of step 4. The second resumes it,
with feedback switched off: the model gets no answer right, so nobody has a target, nothing may be updated, and what it
saves after step 3 must be bit for bit what the first run saved after step 2.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.e2e.run_folder import NUM_ROWS, is_equal, leaves, logged, write_inputs
from tests.e2e.training_run import TrainingRun

pytestmark = pytest.mark.e2e

BATCH = 4
START_SECONDS = 400


def overrides(folder: Path, name: str) -> list[str]:
    return [
        f"data.train_files={folder}/train.parquet",
        f"data.val_files={folder}/test.parquet",
        f"data.train_batch_size={BATCH}",
        "data.max_prompt_length=256",
        "data.max_response_length=16",
        "reward.custom_reward_function.path=pkg://verl_sdpo.rewards",
        f"actor_rollout_ref.model.path={folder}/model",
        "actor_rollout_ref.actor.ppo_mini_batch_size=2",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2",
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "actor_rollout_ref.actor.self_distillation.teacher_update_rate=0.5",
        "actor_rollout_ref.rollout.n=2",
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=2",
        "actor_rollout_ref.rollout.max_model_len=512",
        "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes=16",
        "trainer.total_epochs=1",
        "trainer.val_before_train=false",
        "trainer.logger=[console,file]",
        f"trainer.default_local_dir={folder}/checkpoints",
        f"trainer.rollout_data_dir={folder}/{name}",
        f"hydra.run.dir={folder}/hydra_{name}",
    ]


def dumped_prompts(folder: Path, step: int) -> set[str]:
    lines = (folder / f"{step}.jsonl").read_text().splitlines()
    return {json.loads(line)["input"] for line in lines}


def is_dumped(folder: Path, step: int) -> bool:
    path = folder / f"{step}.jsonl"
    return path.exists() and path.read_text().count("\n") == 2 * BATCH


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder that both runs wrote to."""
    folder = tmp_path_factory.mktemp("resume")
    write_inputs(folder)
    first = TrainingRun(
        [*overrides(folder, "first"), "trainer.total_training_steps=6", "trainer.save_freq=2", "trainer.test_freq=2"],
        folder / "first.log",
        {"VERL_FILE_LOGGER_PATH": str(folder / "first.jsonl")},
    )
    first.kill_when(lambda: is_dumped(folder / "first", 3), START_SECONDS)
    second = TrainingRun(
        [
            *overrides(folder, "second"),
            "actor_rollout_ref.actor.self_distillation.include_environment_feedback=false",
            "trainer.total_training_steps=3",
            "trainer.save_freq=1",
        ],
        folder / "second.log",
        {"VERL_FILE_LOGGER_PATH": str(folder / "second.jsonl")},
    )
    assert second.wait(START_SECONDS) == 0, second.tail()
    return folder


def load(folder: Path, step: int, kind: str) -> dict[str, object]:
    path = folder / "checkpoints" / f"global_step_{step}" / "actor" / f"{kind}_world_size_1_rank_0.pt"
    return leaves(torch.load(path, weights_only=False))


def test_training_moves_student_and_teacher_and_logs_what_it_did(runs):
    step = logged(runs, "first")[1]
    assert step["actor/grad_norm"] > 0
    assert step["self_distillation/divergence"] > 0
    assert step["self_distillation/target_sample_fraction"] == 1.0
    assert step["self_distillation/feedback_used_fraction"] == 1.0
    assert step["self_distillation/num_optimizer_steps"] == 2
    assert step["self_distillation/teacher_distance"] > 0
    assert step["data/train_rows"] == NUM_ROWS
    assert step["data/train_rows_dropped"] == 0
    assert load(runs, 2, "teacher")["/num_updates"] == 2


def test_rollout_engine_and_trainer_have_the_same_weights_after_updates(runs):
    for step, metrics in logged(runs, "first").items():
        if "training/rollout_probs_diff_max" in metrics:
            assert metrics["training/rollout_probs_diff_max"] < 1e-4, f"step {step}"


@pytest.mark.parametrize("kind", ["model", "optim", "teacher"])
def test_a_killed_run_resumes_with_student_optimizer_and_teacher_bit_equal(runs, kind):
    saved, resumed = load(runs, 2, kind), load(runs, 3, kind)
    assert saved.keys() == resumed.keys()
    assert any(isinstance(value, torch.Tensor) for value in saved.values())
    differing = [name for name in saved if not is_equal(saved[name], resumed[name])]
    assert not differing


def test_the_teacher_in_the_checkpoint_is_not_the_student(runs):
    student, teacher = load(runs, 2, "model"), load(runs, 2, "teacher")
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(student[f"/{name}"], teacher[f"/shards/{name}"])


def test_the_step_count_goes_on_after_resuming(runs):
    assert sorted(logged(runs, "second")) == [3]
    assert (runs / "checkpoints" / "latest_checkpointed_iteration.txt").read_text() == "3"


def test_data_are_not_repeated_after_resuming(runs):
    seen = dumped_prompts(runs / "first", 1) | dumped_prompts(runs / "first", 2)
    assert len(seen) == 2 * BATCH
    third = dumped_prompts(runs / "second", 3)
    assert third == dumped_prompts(runs / "first", 3)
    assert not third & seen


def test_a_step_without_targets_updates_nothing_says_so_and_goes_on(runs):
    step = logged(runs, "second")[3]
    assert step["self_distillation/empty_target_batch"] == 1.0
    assert step["self_distillation/target_sample_fraction"] == 0.0
    assert "actor/grad_norm" not in step
    assert "no sample has a target" in (runs / "second.log").read_text()
