# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which rows a resumed run trains on: the run's own trainer with verl's loop, data set, sampler and StatefulDataLoader;
only what needs Ray (workers, rollouts, the update itself) is left out.
"""

from types import SimpleNamespace

import pytest
import torch
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1 import PPOTrainer, trainer_base

from recipe.tiny_model import build_model, build_tokenizer
from tests.preflight.sound_run import row, write_rows
from verl_sdpo.trainer import choice

# Two steps an epoch; two rows of each epoch are left over.
NUM_ROWS, BATCH, EPOCHS, STEPS = 10, 4, 3, 6


class Workers:
    """In place of the ranks: they save something, and load it."""

    def save_checkpoint(self, local_path, *_, **__):
        from pathlib import Path

        Path(local_path).mkdir(parents=True)
        torch.save({}, f"{local_path}/model_world_size_1_rank_0.pt")

    def load_checkpoint(self, local_path, **_):
        torch.load(f"{local_path}/model_world_size_1_rank_0.pt")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder / "model")
    build_model(tokenizer, seed=0).save_pretrained(folder / "model")
    write_rows(folder / "train.parquet", [row(number) for number in range(NUM_ROWS)])
    return folder


@pytest.fixture
def train(compose, inputs, tmp_path, monkeypatch):
    """`train("trainer.key=value", ...)`: a run to its end; the rows of each step that it made, by step."""
    monkeypatch.setattr(trainer_base, "TRAINER_REGISTRY", dict(trainer_base.TRAINER_REGISTRY))
    monkeypatch.setattr(trainer_base, "Tracking", lambda **_: SimpleNamespace(log=lambda data, step: None))
    monkeypatch.setattr(trainer_base.tq, "kv_clear", lambda **_: None)
    stock = dict(trainer_base.TRAINER_REGISTRY)

    def init(self):
        self._init_tokenizer()
        self._init_dataloader()
        self.actor_rollout_wg, self.reward_loop_manager = Workers(), None
        self.checkpoint_manager = SimpleNamespace(update_weights=lambda step: None)
        self._load_checkpoint()

    def step(self, metrics, timing_raw):
        batch = self._next_train_batch()
        self.rows_by_step[self.global_steps] = [info["index"] for info in batch["extra_info"]]
        metrics["actor/grad_norm"] = 1.0
        return KVBatchMeta(keys=[], tags=[], partition_id="train")

    monkeypatch.setattr(PPOTrainer, "init", init)
    monkeypatch.setattr(PPOTrainer, "step", step)
    monkeypatch.setattr(PPOTrainer, "_compute_metrics", lambda *_, **__: None)
    monkeypatch.setattr(PPOTrainer, "_shutdown_dump_executor", lambda self: None)

    def run(*overrides):
        trainer_base.TRAINER_REGISTRY.update(stock)
        config = compose(
            "sdpo_trainer_cpu",
            f"data.train_files={inputs}/train.parquet",
            f"data.val_files={inputs}/train.parquet",
            f"data.train_batch_size={BATCH}",
            "data.max_prompt_length=256",
            "data.dataloader_num_workers=0",
            f"actor_rollout_ref.model.path={inputs}/model",
            f"trainer.total_epochs={EPOCHS}",
            "trainer.val_before_train=false",
            "trainer.test_freq=-1",
            "trainer.save_freq=1",
            f"trainer.default_local_dir={tmp_path}/run",
            *overrides,
        )
        choice.use_trainer(config)
        trainer = trainer_base.get_trainer_cls("sync")(config)
        trainer.rows_by_step = {}
        trainer.init()
        trainer.fit(SimpleNamespace())
        return trainer.rows_by_step

    return run


def resumed_from(folder, step):
    return "trainer.resume_mode=resume_path", f"trainer.resume_from_path={folder}/run/global_step_{step}"


def saved(folder):
    return sorted(int(path.name.removeprefix("global_step_")) for path in (folder / "run").glob("global_step_*"))


# With another seed than it was saved with, so that only the checkpoint can know what is left.
@pytest.mark.parametrize(("seed", "steps"), [(1, range(1, STEPS)), (2, (1, 2))], ids=["same seed", "another seed"])
def test_a_run_resumed_after_any_step_trains_on_the_rows_that_were_left_in_their_order(train, tmp_path, seed, steps):
    whole = train("data.seed=1")
    assert sorted(whole) == list(range(1, STEPS + 1))
    for epoch in range(EPOCHS):
        rows = whole[2 * epoch + 1] + whole[2 * epoch + 2]
        assert len(set(rows)) == 2 * BATCH, "an epoch has no row twice"
    assert len({tuple(rows) for rows in whole.values()}) == STEPS
    # After steps 2 and 4 an epoch had ended.
    for step in steps:
        elsewhere = f"trainer.default_local_dir={tmp_path}/elsewhere_{step}"
        accepted = "trainer.resume_accept_changes=[data]"
        resumed = train(f"data.seed={seed}", accepted, *resumed_from(tmp_path, step), elsewhere)
        assert resumed == {number: whole[number] for number in range(step + 1, STEPS + 1)}, step


def test_a_run_that_is_killed_before_its_first_checkpoint_starts_with_the_same_rows(train, tmp_path):
    whole = train("data.seed=1")
    again = train("data.seed=1", f"trainer.default_local_dir={tmp_path}/again")
    assert again == whole


def test_a_run_resumed_after_its_last_step_makes_none_and_saves_none(train, tmp_path):
    train()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert train() == {}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == files
    # The same where the number of steps ends it, in the midst of an epoch.
    assert train("trainer.total_training_steps=3", *resumed_from(tmp_path, 3)) == {}


def test_a_run_that_is_given_more_steps_goes_on_into_a_new_epoch(train, tmp_path):
    train("data.seed=1")
    more = train("data.seed=1", "trainer.total_epochs=4")
    assert sorted(more) == [7, 8]
    assert len({*more[7], *more[8]}) == 2 * BATCH
    assert saved(tmp_path) == list(range(1, 9))
