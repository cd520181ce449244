# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What only verl can say of a configuration: the names in its registries, and its own validation."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.config.checks import SDPO, uses_sdpo
from verl_sdpo.config.for_verl import for_verl
from verl_sdpo.config.self_distillation import KEY
from verl_sdpo.preflight.fault import Fault

_LOSS, _ESTIMATOR = "actor_rollout_ref.actor.policy_loss.loss_mode", "algorithm.adv_estimator"


def registry_faults(config: DictConfig) -> list[Fault]:
    """Losses and advantage estimators that are not in verl's registries. `sdpo` is this package's own."""
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY

    losses, estimators = ({str(name) for name in known} for known in (POLICY_LOSS_REGISTRY, ADV_ESTIMATOR_REGISTRY))
    wanted = [(_LOSS, losses | {SDPO}, "losses"), (_ESTIMATOR, estimators | {SDPO}, "advantage estimators")]
    if uses_sdpo(config):
        wanted.append((f"{KEY}.hybrid_policy_loss", losses, "losses"))
    return [
        Fault(
            "config",
            key,
            f"{key}={OmegaConf.select(config, key)!r} is not one of verl's {kind}",
            f"choose one of {', '.join(sorted(known))}",
        )
        for key, known, kind in wanted
        if OmegaConf.select(config, key) not in known
    ]


def validation_faults(config: DictConfig) -> list[Fault]:
    """verl's own validation, which stops at its first fault. For a configuration in which all else is well."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    config = copy.deepcopy(config)
    for_verl(config)
    try:
        # It prints that all is well.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            # That there is no critic without adv_estimator=gae.
            warnings.simplefilter("ignore")
            validate_config(
                config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config)
            )
    except Exception as error:
        # Assertions, ValueError, and whatever the conversion to verl's dataclasses raises.
        told = " ".join(str(error).split()) or type(error).__name__
        return [Fault("config", "verl", f"verl's own validation refuses the configuration: {told[:500]}", "correct it")]
    return []
