# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What verl's worker has saved on one number of ranks, cut anew and loaded by verl's worker on another."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.checkpoint.small_run import manifest
from tests.worker.engine_case import batch_of, make_samples, make_worker, whole
from verl_sdpo.checkpoint.export import chosen
from verl_sdpo.checkpoint.reshard import reshard
from verl_sdpo.checkpoint.store import CheckpointStore
from verl_sdpo.teacher.shards import reshard as drop_gathered

SAMPLES = make_samples([[1, 1, 1], [1] * 5, [1, 0, 1], [1, 1], [1, 1, 1, 1], [1] * 6], [1, 1, 0, 1, 1, 0])
# A large epsilon: by Adam's rule an element whose gradient is noise moves as far as any other.
OPTIMIZER = {"lr": 0.02, "weight_decay": 0.1, "lr_warmup_steps": 20, "clip_grad": 1.0}
OPTIMIZER |= {"override_optimizer_config": {"eps": 1e-3}}
CASES = {
    "tied": ("tied", {}),
    "LoRA": ("untied", {"model": {"lora_rank": 4, "lora_alpha": 12, "target_modules": "all-linear"}}),
}
WORLDS = (1, 2)


def new_worker(path, settings):
    return make_worker(path, options={"teacher_update_rate": 0.25}, optimizer=OPTIMIZER, **settings)


def step(worker, rank, world):
    worker.train_mini_batch(batch_of(SAMPLES[rank::world], world=world))


def everything(worker):
    """All that a step may move, gathered from all ranks."""
    from torch.distributed.tensor import DTensor

    engine, shards = worker.engine, worker.teacher.state_dict()["shards"]
    drop_gathered(engine.module)
    seen = {"schedule": torch.tensor([engine.lr_scheduler.last_epoch, engine.lr_scheduler.get_last_lr()[0]])}
    for name, p in engine.module.named_parameters():
        seen["student", name] = whole(p)
        seen |= {(key, name): whole(value) for key, value in engine.optimizer.state[p].items()}
        if name in shards:
            where = {"run_check": False, "shape": p.shape, "stride": p.stride()}
            seen["teacher", name] = whole(DTensor.from_local(shards[name], p.device_mesh, p.placements, **where))
    return seen | {"num_updates": torch.tensor(worker.teacher.num_updates)}


def train_and_save(rank, world, paths, root):
    seen = {}
    for case, (_, settings) in CASES.items():
        worker = new_worker(paths[case], settings)
        for _ in range(2):
            step(worker, rank, world)
        worker.save_checkpoint(os.path.join(root, f"{case} {world}", "shards"))
        saved = everything(worker)
        step(worker, rank, world)
        seen[case] = {"saved": saved, "went on": everything(worker)}
    return seen


def load_and_train(rank, world, paths, root):
    seen = {}
    for case, (_, settings) in CASES.items():
        worker = new_worker(paths[case], settings)
        worker.load_checkpoint(os.path.join(root, f"{case} {3 - world}", "cut", "global_step_2", "actor"))
        loaded = everything(worker)
        step(worker, rank, world)
        seen[case] = {"loaded": loaded, "went on": everything(worker)}
    return seen


@pytest.fixture(scope="module")
def seen(ranks, models, tmp_path_factory) -> Iterator[tuple[dict, dict]]:
    """What the ranks had before, and what those of the other number had after."""
    root = tmp_path_factory.mktemp("reshard")
    paths = {case: models[name] for case, (name, _) in CASES.items()}
    before = ranks.run(train_and_save, paths, root)
    for folder in map(Path, sorted(root.iterdir())):
        store = CheckpointStore(folder / "run")
        staged = store.begin(2)
        shutil.move(folder / "shards", staged / "actor")
        store.finish(manifest(2), keep=None)
        reshard(chosen(store.root), folder / "cut", 3 - int(folder.name[-1]))
    return before, ranks.run(load_and_train, paths, root)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("world", WORLDS, ids=["1 to 2", "2 to 1"])
def test_everything_that_was_saved_is_there_in_every_bit(seen, case, world):
    before, after = seen
    saved = before[world][0][case]["saved"]
    assert {name[0] for name in saved if isinstance(name, tuple)} == {
        "student",
        "teacher",
        "exp_avg",
        "exp_avg_sq",
        "step",
    }
    for rank in after[3 - world]:
        assert rank[case]["loaded"].keys() == saved.keys()
        assert [name for name in saved if not torch.equal(saved[name], rank[case]["loaded"][name])] == []


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("world", WORLDS, ids=["1 to 2", "2 to 1"])
def test_the_next_step_is_the_one_that_would_have_been_made(seen, case, world):
    before, after = seen
    saved, expected = (before[world][0][case][when] for when in ("saved", "went on"))
    for rank in after[3 - world]:
        for name, value in rank[case]["went on"].items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=2e-6)
    moved = {name[0] for name in saved if not torch.equal(saved[name], expected[name])}
    assert moved >= {"student", "exp_avg", "exp_avg_sq", "step", "teacher"}
