# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`trainer.seed` is the one seed of a run, unless another is set by itself."""

import pytest
import torch
from omegaconf import OmegaConf

from verl_sdpo.config import flat_defaults
from verl_sdpo.config.checks import check_run

SEEDED = (
    "data.seed",
    "actor_rollout_ref.rollout.seed",
    "actor_rollout_ref.actor.data_loader_seed",
    "actor_rollout_ref.actor.fsdp_config.seed",
    "actor_rollout_ref.ref.fsdp_config.seed",
    "actor_rollout_ref.actor.self_distillation.demonstration_seed",
    "critic.data_loader_seed",
)
# A critic's engine and a reward model's rollouts: SDPO has neither.
NOT_SEEDED = {"critic.fsdp.seed", "reward.reward_model.rollout.seed"}


def seeds(node, prefix=""):
    found = {}
    for name, value in node.items():
        if isinstance(value, dict):
            found |= seeds(value, f"{prefix}{name}.")
        elif name.endswith("seed"):
            found[prefix + name] = value
    return found


@pytest.mark.parametrize("name", ["sdpo_trainer", "sdpo_trainer_cpu"])
def test_it_reaches_every_seed_of_the_configuration(compose, name):
    config = compose(name, "trainer.seed=7")
    check_run(config)
    found = seeds(OmegaConf.to_container(config, resolve=True))
    assert set(found) == {"trainer.seed", *SEEDED} | NOT_SEEDED
    assert {found[key] for key in SEEDED} == {7}


@pytest.mark.parametrize("key", SEEDED)
def test_a_seed_that_is_set_by_itself_keeps_its_own(compose, key):
    config = compose("sdpo_trainer", "trainer.seed=7", f"{key}=3")
    assert OmegaConf.select(config, key) == 3
    assert {OmegaConf.select(config, other) for other in SEEDED if other != key} == {7}


def test_its_default_is_that_of_the_demonstrations(compose):
    assert compose("sdpo_trainer").trainer.seed == flat_defaults()["demonstration_seed"]


@pytest.mark.parametrize("name", ["sdpo_trainer_cpu", "sdpo_test_time_cpu"])
def test_on_a_cpu_no_prompt_is_split_since_a_seeded_request_could_not_go_on(compose, name):
    assert compose(name).actor_rollout_ref.rollout.enable_chunked_prefill is False
    # What vLLM asks of a request's generator when it has read a part of a prompt.
    with pytest.raises(RuntimeError, match="does not use offset"):
        torch.Generator("cpu").get_offset()
