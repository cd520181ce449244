# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Where a step does without verl's pass for old log-probabilities, and where it must not."""

import pytest
from transformers import Qwen3Config

from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.trainer.own_log_probs import needs_no_old_log_probs, rollout_is_threshold

SIZES = ("actor_rollout_ref.actor.ppo_mini_batch_size=4", "actor_rollout_ref.rollout.n=8")
OPTIONS = "actor_rollout_ref.actor.self_distillation"


def decide(compose, *overrides, num_samples=32, model=None, **options):
    config = compose("sdpo_trainer", *SIZES, *overrides)
    return needs_no_old_log_probs(
        config, SelfDistillationConfig.from_flat(options), model or Qwen3Config(), num_samples
    )


def test_one_update_with_truncated_token_weights_needs_none(compose):
    assert decide(compose)
    assert decide(compose, "algorithm.rollout_correction.rollout_is=null")
    assert decide(compose, "algorithm.rollout_correction.rollout_is_threshold=3")
    assert decide(compose, "trainer.v1.trainer_mode=colocate_async")
    assert decide(compose, is_clip=None)


@pytest.mark.parametrize(
    "override",
    [
        "actor_rollout_ref.actor.ppo_epochs=2",
        "actor_rollout_ref.actor.ppo_mini_batch_size=2",
        "actor_rollout_ref.actor.use_kl_loss=True",
        "actor_rollout_ref.actor.entropy_coeff=0.01",
        "actor_rollout_ref.actor.policy_loss.loss_mode=vanilla",
        "actor_rollout_ref.model.lora_adapter_path=adapter",
        "actor_rollout_ref.rollout.calculate_log_probs=False",
        "algorithm.adv_estimator=sdpo",
        "algorithm.use_kl_in_reward=True",
        "algorithm.rollout_correction.rollout_is=sequence",
        "algorithm.rollout_correction.rollout_is_threshold='0.5_2.0'",
        "algorithm.rollout_correction.rollout_is_batch_normalize=True",
        "algorithm.rollout_correction.rollout_rs=token_k1",
        "algorithm.rollout_correction.bypass_mode=True",
        "trainer.v1.trainer_mode=separate_async",
    ],
)
def test_whatever_looks_further_than_one_token_of_one_update_needs_them(compose, override):
    assert not decide(compose, override)


@pytest.mark.parametrize(
    "options",
    [{"recompute_old_log_probs": True}, {"distillation_weight": 0.5}, {"distillation_weight": 0.0}, {"is_clip": 0.5}],
)
def test_options_that_need_them(compose, options):
    assert not decide(compose, **options)


def test_a_batch_of_more_than_one_mini_batch_needs_them(compose):
    assert not decide(compose, num_samples=33)


def test_a_model_with_dropout_needs_them(compose):
    assert not decide(compose, model=Qwen3Config(attention_dropout=0.1))


@pytest.mark.parametrize(("override", "bound"), [("rollout_is=token", 2.0), ("rollout_is=null", None)])
def test_the_bound_of_the_rollouts_weights_is_verls(compose, override, bound):
    assert rollout_is_threshold(compose("sdpo_trainer", f"algorithm.rollout_correction.{override}")) == bound
