# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Two ranks train and save; one rank goes on from it. The second run has no feedback, and the model gets no answer
right: nothing may be updated, so that what it saves after step 3 must be, put together, what the two ranks had saved
after step 2. A last run resumes when all steps are made.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.e2e.run_folder import is_equal, leaves, logged, write_inputs
from tests.e2e.test_train_and_resume import dumped_prompts, overrides
from tests.e2e.training_run import TrainingRun

RUN_SECONDS = 400
pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(4 * RUN_SECONDS)]
NO_FEEDBACK = "actor_rollout_ref.actor.self_distillation.include_environment_feedback=false"


def run_of(folder: Path, name: str, *more: str) -> TrainingRun:
    return TrainingRun(
        [*overrides(folder, name), "trainer.save_freq=1", *more],
        folder / f"{name}.log",
        {"VERL_FILE_LOGGER_PATH": str(folder / f"{name}.jsonl")},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The folder that all runs wrote to; the second is refused."""
    folder = tmp_path_factory.mktemp("other_ranks")
    write_inputs(folder)
    two = run_of(folder, "two", "trainer.n_gpus_per_node=2", "trainer.total_training_steps=2")
    assert two.wait(RUN_SECONDS) == 0, two.tail()
    refused = run_of(folder, "refused", "trainer.total_training_steps=3")
    assert refused.wait(RUN_SECONDS) != 0, refused.tail()
    accept = "trainer.resume_accept_changes=[ranks]"
    one = run_of(folder, "one", NO_FEEDBACK, accept, "trainer.total_training_steps=3")
    assert one.wait(RUN_SECONDS) == 0, one.tail()
    before = times(folder / "checkpoints")
    done = run_of(folder, "done", "trainer.total_training_steps=3")
    assert done.wait(RUN_SECONDS) == 0, done.tail()
    assert times(folder / "checkpoints") == before
    return folder


def times(folder: Path) -> dict[Path, int]:
    """When each file was written last."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def whole(folder: Path, step: int, kind: str, num_ranks: int) -> dict[str, object]:
    """Every tensor and number of all ranks' files of a kind, shards put together in the order of the ranks."""
    actor = folder / "checkpoints" / f"global_step_{step}" / "actor"
    names = [f"{kind}_world_size_{num_ranks}_rank_{rank}.pt" for rank in range(num_ranks)]
    parts = [torch.load(actor / name, weights_only=False) for name in names]
    found = [leaves(part) for part in parts]
    # Adam's counter is no part of anything: every rank has it.
    is_shard = lambda value: isinstance(value, torch.Tensor) and value.ndim > 0  # noqa: E731
    return {
        name: torch.cat([part[name] for part in found]) if is_shard(value) else value
        for name, value in found[0].items()
    }


@pytest.mark.parametrize("kind", ["model", "optim", "teacher"])
def test_one_rank_goes_on_with_what_two_have_saved(runs, kind):
    saved, resumed = whole(runs, 2, kind, 2), whole(runs, 3, kind, 1)
    assert saved.keys() == resumed.keys()
    assert any(isinstance(value, torch.Tensor) and value.numel() > 100 for value in saved.values())
    assert [name for name in saved if not is_equal(saved[name], resumed[name])] == []


def test_the_two_ranks_have_trained(runs):
    assert logged(runs, "two")[2]["actor/grad_norm"] > 0
    assert not torch.equal(whole(runs, 1, "model", 2)["/lm_head.weight"], whole(runs, 2, "model", 2)["/lm_head.weight"])


def test_steps_and_data_go_on(runs):
    assert sorted(logged(runs, "one")) == [3]
    seen = dumped_prompts(runs / "two", 1) | dumped_prompts(runs / "two", 2)
    assert not dumped_prompts(runs / "one", 3) & seen
    said = json.loads((runs / "checkpoints" / "global_step_3" / "COMPLETE.json").read_text())
    assert said["facts"]["ranks"] == {"num": 1}
    assert not (runs / "checkpoints" / ".resharded").exists()


def test_a_run_whose_steps_are_all_made_makes_none_and_saves_none(runs):
    assert "resumed from" in (runs / "done.log").read_text()
    path = runs / "done.jsonl"
    assert not path.exists() or not logged(runs, "done")
    assert not list((runs / "done").glob("*.jsonl"))


def test_without_the_key_the_run_is_refused_before_it_starts_with_key_and_command(runs):
    told = (runs / "refused.log").read_text()
    assert "ranks.num: 2 in the checkpoint, 1 now" in told
    assert "trainer.resume_accept_changes=[ranks]" in told
    assert "python -m verl_sdpo.checkpoint reshard" in told
