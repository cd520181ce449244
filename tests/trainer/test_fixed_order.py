# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Names of prompts, order of batches and the driver's random numbers, with verl's own loader and replay buffer."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1 import PPOTrainerSync, replay_buffer, trainer_base
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer
from verl.utils.dataset.rl_dataset import collate_fn

from verl_sdpo.config.checks import TRAINER_MODES
from verl_sdpo.trainer.fixed_order import FixedOrder, in_order, numbered_prompts, order_of
from verl_sdpo.trainer.stalls import Stalls


class Trainer(FixedOrder, PPOTrainerSync):
    """verl's trainer with nothing in it but the data."""

    def __init__(self, step, rows=8, batch=4, fetch=4):
        self.global_steps, self.trainer_mode, self.train_dataloader_it = step, "sync", None
        data = {"train_batch_size": batch, "gen_batch_size": fetch}
        self.config = SimpleNamespace(
            data=SimpleNamespace(**data, get=data.get), trainer=SimpleNamespace(seed=0), algorithm=None
        )
        cells = [{"raw_prompt": [{"role": "user", "content": str(row)}], "index": row} for row in range(rows)]
        self.train_dataloader = [collate_fn(cells[at : at + fetch]) for at in range(0, rows, fetch)]


def uids(trainer):
    return [str(uid) for uid in trainer._next_train_batch()["uid"]]


@pytest.mark.parametrize("fetch", [1, 2, 4])
def test_prompts_are_named_after_step_and_place_however_they_are_fetched(fetch):
    named = uids(Trainer(step=3, fetch=fetch))
    assert named == [f"train-00000003-{place:08d}" for place in range(4)]
    assert named == sorted(named)


def test_a_later_step_has_other_names_and_a_resumed_run_the_same_ones():
    trainer = Trainer(step=1)
    first = uids(trainer)
    trainer.global_steps = 2
    second = uids(trainer)
    assert not set(first) & set(second)
    assert uids(Trainer(step=2)) == second


def test_names_have_nothing_that_verl_splits_keys_at():
    [name] = set(uids(Trainer(step=10**7, rows=1, batch=1, fetch=1)))
    assert f"{name}_3_0".split("_")[0] == name


@pytest.mark.parametrize("is_numbered", [True, False])
def test_groups_are_apart_whatever_the_rows_say(is_numbered):
    # Equal prompts, and a column of the name that verl gives to prompts, with one value that verl would split.
    class Stock(PPOTrainerSync):
        __init__ = Trainer.__init__

    trainer = (Trainer if is_numbered else Stock)(step=1)
    question = [{"role": "user", "content": "the same"}]
    cells = [{"raw_prompt": question, "index": 0, "uid": uid} for uid in ("a_0", "a_0", "a", "a_0_0")]
    trainer.train_dataloader = [collate_fn(cells)]
    named = uids(trainer)
    assert len(set(named)) == 4
    assert not any("_" in name for name in named)


def test_verls_own_names_come_back_afterwards():
    original = trainer_base.uuid
    with numbered_prompts("val", 1):
        assert str(trainer_base.uuid.uuid4()) == "val-00000001-00000000"
    assert trainer_base.uuid is original
    with pytest.raises(KeyError), numbered_prompts("val", 1):
        raise KeyError
    assert trainer_base.uuid is original


def test_numbers_are_ordered_as_numbers():
    keys = [
        f"train-00000001-{place:08d}_{session}_{output}"
        for place in (2, 10)
        for session in (2, 10)
        for output in (9, 10)
    ]
    mixed = random.Random(0).sample(keys, len(keys))
    assert sorted(mixed, key=order_of) == keys


@pytest.fixture
def queue(monkeypatch):
    """What verl's replay buffer reads: {key: tag} of the finished prompts and their samples."""
    items = {}
    fake = SimpleNamespace(kv_list=lambda *_: {"train": dict(items)}, kv_clear=lambda **_: None)
    monkeypatch.setattr(replay_buffer, "tq", fake)
    return items


def verls_buffer(*_):
    return ReplayBuffer("sync", {}, None, "drop", {}, poll_interval=0.0)


def buffers():
    """A replay buffer by itself, and as a trainer builds it that is also watched for stalls, before or after."""
    yield in_order(verls_buffer())
    stock = type("Stock", (), {"_build_replay_buffer": verls_buffer})
    for bases in ((FixedOrder, Stalls, stock), (Stalls, FixedOrder, stock)):
        yield type("Trainer", bases, {})()._build_replay_buffer()


def sampled(queue, keys, buffer):
    queue.clear()
    for key in keys:
        queue[key] = {"seq_len": hash(key), "name": key}
        queue[key.split("_")[0]] = {"is_prompt": True, "status": "finished", "global_steps": 1}
    batch, _ = buffer.sample(global_steps=1, partition_id="train", batch_size=4)
    return batch


@pytest.mark.parametrize("place", range(3))
def test_a_batch_has_the_same_order_whoever_was_answered_first(queue, place):
    keys = [f"train-00000001-{place:08d}_{session}_0" for place in range(4) for session in range(12)]
    for seed in range(5):
        random.Random(seed).shuffle(arrived := list(keys))
        batch = sampled(queue, arrived, list(buffers())[place])
        assert isinstance(batch, KVBatchMeta)
        assert batch.keys == keys
        assert [tag["name"] for tag in batch.tags] == keys


def drawn():
    return random.random(), np.random.rand(), torch.rand(1).item()


class Validated:
    """A trainer whose validation draws random numbers."""

    def _validate(self):
        return drawn()


class Drawing(FixedOrder, Validated):
    def __init__(self, step, seed=0):
        self.global_steps, self.config = step, SimpleNamespace(trainer=SimpleNamespace(seed=seed))


def test_random_numbers_of_a_step_do_not_depend_on_the_steps_before_it():
    whole = Drawing(1)
    first = whole._validate()
    whole.global_steps = 2
    second = whole._validate()
    drawn()
    assert Drawing(2)._validate() == second != first
    assert Drawing(2, seed=1)._validate() != second


@pytest.mark.parametrize("switch", [True, False])
@pytest.mark.parametrize("loss", ["sdpo", "vanilla"])
def test_the_order_is_fixed_for_every_loss_with_the_switch_only(compose, monkeypatch, switch, loss):
    from verl_sdpo.trainer.choice import use_trainer

    monkeypatch.setattr(trainer_base, "TRAINER_REGISTRY", dict(trainer_base.TRAINER_REGISTRY))
    config = compose(
        "sdpo_trainer_cpu",
        f"trainer.full_determinism={switch}",
        f"actor_rollout_ref.actor.policy_loss.loss_mode={loss}",
    )
    assert config.trainer.v1.trainer_mode in TRAINER_MODES
    use_trainer(config)
    used = trainer_base.get_trainer_cls(config.trainer.v1.trainer_mode)
    assert issubclass(used, FixedOrder) is switch
    if switch:
        # Before all others: what they do to a batch, they do to one in order.
        assert used.__mro__[1] is FixedOrder
