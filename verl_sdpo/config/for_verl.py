# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The configuration as verl's own code takes it."""

from __future__ import annotations

from omegaconf import DictConfig, open_dict

from verl_sdpo.config.checks import uses_sdpo
from verl_sdpo.config.determinism import set_determinism


def for_verl(config: DictConfig) -> None:
    """Set what `trainer.full_determinism` stands for, and make the actor's section one that verl's dataclass conversion
    takes: with SDPO's options, or without them.
    """
    set_determinism(config)
    actor = config.actor_rollout_ref.actor
    with open_dict(config):
        if uses_sdpo(config):
            actor._target_ = "verl_sdpo.worker.actor_config.SdpoActorConfig"
        else:
            actor.pop("self_distillation", None)
