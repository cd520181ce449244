# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`algorithm.high_entropy_fraction` with verl's own advantages and policy loss."""

import pytest
import torch
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1 import trainer_base

from tests.trainer.test_verdicts import RowQueue
from verl_sdpo.trainer import high_entropy
from verl_sdpo.trainer.high_entropy import HighEntropyTokens

ENTROPIES = {"a_0_0": [0.1, 0.8, 0.2], "a_1_0": [0.7, 0.3], "b_0_0": [9.0, 9.0]}
SCORES = {"a_0_0": 1.0, "a_1_0": 0.0, "b_0_0": 0.0}
# What verl pads a batch with, at a rank too many.
PADDING = {"b_0_0"}


def row(key):
    entropy = torch.tensor(ENTROPIES[key])
    rewards = torch.zeros_like(entropy)
    rewards[-1] = SCORES[key]
    zeros = torch.zeros_like(entropy)
    return {
        "uid": key[0],
        "entropy": entropy,
        "rm_scores": rewards,
        "response_mask": torch.ones(len(entropy), dtype=torch.int64),
        "old_log_probs": zeros,
        "rollout_log_probs": zeros,
    }


class Trainer(HighEntropyTokens, trainer_base.get_trainer_cls("sync")):
    def __init__(self, config):
        self.config = config


@pytest.fixture
def advantages_of(compose, monkeypatch):
    def make(*overrides):
        queue = RowQueue({key: row(key) for key in ENTROPIES})
        monkeypatch.setattr(trainer_base, "tq", queue)
        monkeypatch.setattr(high_entropy, "tq", queue)
        config = compose("sdpo_trainer_cpu", "algorithm.norm_adv_by_std_in_grpo=false", *overrides)
        tags = [{"is_padding": key in PADDING} for key in ENTROPIES]
        queue.tags = dict(zip(ENTROPIES, tags, strict=True))
        batch = KVBatchMeta(keys=list(ENTROPIES), tags=tags, partition_id="train")
        made = Trainer(config)._compute_advantage(batch, {})
        assert made.keys == list(ENTROPIES)
        return {key: queue.rows[key]["advantages"].tolist() for key in made.keys}

    return make


def test_grpos_advantages_stay_at_the_least_sure_tokens_of_the_batch(advantages_of):
    made = advantages_of("algorithm.high_entropy_fraction=0.4")
    # Scores 1 and 0 of a group of two: half a point above and below their mean. Two of five tokens stay.
    assert made["a_0_0"] == [0.0, 0.5, 0.0]
    assert made["a_1_0"] == [-0.5, 0.0]


def test_all_tokens_at_a_fraction_of_one_are_verls_own(advantages_of):
    made = advantages_of("algorithm.high_entropy_fraction=1.0")
    assert made["a_0_0"] == [0.5] * 3
    assert made["a_1_0"] == [-0.5] * 2


def test_a_run_that_asks_for_it_has_it_and_no_other(compose):
    from verl_sdpo.trainer.choice import use_trainer

    before = dict(trainer_base.TRAINER_REGISTRY)
    try:
        for overrides, has_it in (((), False), (("algorithm.high_entropy_fraction=0.2",), True)):
            trainer_base.TRAINER_REGISTRY.update(before)
            vanilla = "actor_rollout_ref.actor.policy_loss.loss_mode=vanilla"
            use_trainer(compose("sdpo_trainer_cpu", vanilla, *overrides))
            assert issubclass(trainer_base.TRAINER_REGISTRY["sync"], HighEntropyTokens) == has_it
    finally:
        trainer_base.TRAINER_REGISTRY.update(before)
