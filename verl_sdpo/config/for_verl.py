# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration as verl's own code takes it."""

from __future__ import annotations

from omegaconf import DictConfig, open_dict

from verl_sdpo.config.checks import uses_sdpo


def for_verl(config: DictConfig) -> None:
    """Make the actor's section one that verl's dataclass conversion takes: with SDPO's options, or without them."""
    actor = config.actor_rollout_ref.actor
    with open_dict(config):
        if uses_sdpo(config):
            actor._target_ = "verl_sdpo.worker.actor_config.SdpoActorConfig"
        else:
            actor.pop("self_distillation", None)
