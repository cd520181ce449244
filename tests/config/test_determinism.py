# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One switch for two equal runs: what it sets, and what cannot stand beside it."""

import pytest
from omegaconf import OmegaConf

from verl_sdpo.config.checks import ConfigError, check_run
from verl_sdpo.config.determinism import SEEDED_MANAGER, is_deterministic, set_determinism

ROLLOUT = "actor_rollout_ref.rollout"
VLLM = f"{ROLLOUT}.name=vllm"
ON = "trainer.full_determinism=true"
MANAGER = f"{ROLLOUT}.agent.agent_loop_manager_class"
# Beside the switch: a value, and words of the remedy.
REFUSED = [
    ("trainer.v1.trainer_mode", "colocate_async", "set it to sync"),
    ("trainer.v1.trainer_mode", "separate_async", "set it to sync"),
    (f"{ROLLOUT}.name", "sglang", "set it to vllm"),
    (MANAGER, None, "set it to verl_sdpo.rollout.stop_reasons.StopReasonManager"),
    (MANAGER, "my.Manager", "set it to verl_sdpo.rollout.stop_reasons.StopReasonManager"),
    ("algorithm.filter_groups.enable", True, "set it to False"),
    ("trainer.v1.sampler.sync_refill_failed_groups", True, "set it to False"),
]


def with_value(config, key, value):
    OmegaConf.update(config, key, value, force_add=True)
    return config


def refusals(config):
    with pytest.raises(ConfigError) as caught:
        check_run(config)
    return caught.value.faults


@pytest.mark.parametrize(("key", "value", "remedy"), REFUSED)
@pytest.mark.parametrize("loss_mode", ["sdpo", "vanilla"])
def test_what_two_equal_runs_cannot_have_is_refused_with_the_switch_only(compose, key, value, remedy, loss_mode):
    loss = f"actor_rollout_ref.actor.policy_loss.loss_mode={loss_mode}"
    [fault] = refusals(with_value(compose("sdpo_trainer", VLLM, ON, loss), key, value))
    assert fault.startswith(f"{key}={value!r} is not supported with trainer.full_determinism=True: ")
    assert remedy in fault
    check_run(with_value(compose("sdpo_trainer", loss), key, value))


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_the_switch_is_on_or_off(compose, value):
    [fault] = refusals(with_value(compose("sdpo_trainer"), "trainer.full_determinism", value))
    assert fault.startswith(f"trainer.full_determinism={value!r} ")


def test_verls_own_switch_of_the_rollout_is_refused_without_ours(compose):
    on = f"{ROLLOUT}.full_determinism=true"
    [fault] = refusals(compose("sdpo_trainer", on))
    assert fault.startswith(f"{ROLLOUT}.full_determinism=True ")
    assert "set trainer.full_determinism=True instead" in fault
    check_run(compose("sdpo_trainer", on, VLLM, ON))


@pytest.mark.parametrize("name", ["sdpo_trainer", "sdpo_trainer_cpu"])
def test_without_the_switch_nothing_is_set(compose, name):
    config = compose(name)
    assert not is_deterministic(config)
    set_determinism(config)
    assert config == compose(name)


@pytest.mark.parametrize("name", ["sdpo_trainer", "sdpo_trainer_cpu"])
def test_the_switch_reaches_the_rollout_and_every_engine(compose, name):
    config = compose(name, VLLM, ON)
    check_run(config)
    set_determinism(config)
    assert config.actor_rollout_ref.rollout.full_determinism is True
    assert config.actor_rollout_ref.actor.fsdp_config.full_determinism is True
    assert config.actor_rollout_ref.ref.fsdp_config.full_determinism is True
    assert config.actor_rollout_ref.rollout.agent.agent_loop_manager_class == SEEDED_MANAGER
    check_run(config)


def test_on_a_cpu_requests_are_answered_one_at_a_time_each_from_its_start(compose):
    on_cpu, on_gpu = compose("sdpo_trainer_cpu", VLLM, ON), compose("sdpo_trainer", VLLM, ON)
    stock = on_gpu.actor_rollout_ref.rollout.copy()
    for config in (on_cpu, on_gpu):
        set_determinism(config)
    assert on_cpu.actor_rollout_ref.rollout.max_num_seqs == 1
    assert on_cpu.actor_rollout_ref.rollout.enable_prefix_caching is False
    assert on_gpu.actor_rollout_ref.rollout.max_num_seqs == stock.max_num_seqs > 1
    assert on_gpu.actor_rollout_ref.rollout.enable_prefix_caching == stock.enable_prefix_caching


def test_the_manager_is_one_that_verl_can_load():
    from verl.utils.import_utils import load_class_from_fqn

    from verl_sdpo.rollout.request_seeds import SeededManager

    assert load_class_from_fqn(SEEDED_MANAGER, "AgentLoopManager") is SeededManager
