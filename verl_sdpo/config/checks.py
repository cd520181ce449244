# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The checks of a run's configuration, before Ray, a model or a GPU is touched.

Each fault is one line: the key, its value, what to do. All faults of a configuration are reported together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.config.self_distillation import KEY, SelfDistillationConfig

SDPO = "sdpo"
TRAINER_MODES = ("sync", "colocate_async", "separate_async")


class ConfigError(ValueError):
    """A configuration that cannot run. `faults` has one line for each reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def uses_sdpo(config: DictConfig) -> bool:
    """Whether the run's policy loss is SDPO; otherwise it is plain verl."""
    return OmegaConf.select(config, "actor_rollout_ref.actor.policy_loss.loss_mode") == SDPO


def check_run(config: DictConfig) -> None:
    """Raise ConfigError with every fault that can be seen in the configuration alone."""
    faults = _common_faults(config)
    if uses_sdpo(config):
        faults += _option_faults(config) + _combination_faults(config)
    if faults:
        raise ConfigError(faults)


def _common_faults(config: DictConfig) -> list[str]:
    select = _selector(config)
    faults = []
    mode = select("trainer.v1.trainer_mode")
    if mode not in TRAINER_MODES:
        faults.append(f"trainer.v1.trainer_mode={mode!r} is not known: choose one of {', '.join(TRAINER_MODES)}")
    interval = select("trainer.v1.replay_poll_interval")
    is_number = isinstance(interval, int | float) and not isinstance(interval, bool)
    if not is_number or not 0 < interval < math.inf:
        faults.append(f"trainer.v1.replay_poll_interval={interval!r} must be a number of seconds above 0")
    if not select("trainer.use_v1"):
        faults.append("trainer.use_v1=False is verl's old trainer, which this entry point does not run: set it to True")
    return faults


def _option_faults(config: DictConfig) -> list[str]:
    options = OmegaConf.select(config, KEY)
    if options is None:
        return [f"{KEY} is missing: start from verl_sdpo's config sdpo_trainer or sdpo_trainer_cpu"]
    given = OmegaConf.to_container(options, resolve=True)
    faults: list[str] = []
    while True:
        try:
            SelfDistillationConfig.from_flat(given)
            return faults
        except ValueError as error:
            # The class stops at its first fault: without that option, it gets to the next one. A fault of an option
            # that is at its default by now is a contradiction, either of the user's or with what was taken out.
            key = str(error).partition("=")[0]
            if key in given or not faults:
                faults.append(f"{KEY}.{error}")
            if key not in given:
                return faults
            del given[key]


def _combination_faults(config: DictConfig) -> list[str]:
    """Settings of verl's that SDPO cannot honour. To ignore one silently would be worse than to refuse it."""
    select = _selector(config)
    because = f"with actor_rollout_ref.actor.policy_loss.loss_mode={SDPO}"
    rules: list[tuple[str, Callable[[object], bool], str]] = [
        (
            "actor_rollout_ref.actor.strategy",
            lambda value: value == "fsdp2",
            "the teacher's weights change places with the student's, which is done for FSDP2 only; set it to fsdp2",
        ),
        (
            "actor_rollout_ref.actor.fsdp_config.offload_policy",
            lambda value: not value,
            "the teacher needs the shards where the optimizer has them; set it to False",
        ),
        (
            "actor_rollout_ref.model.use_fused_kernels",
            lambda value: not value,
            "fused kernels hand out no logits to distil; set it to False",
        ),
        (
            "actor_rollout_ref.actor.ulysses_sequence_parallel_size",
            lambda value: value in (None, 1),
            "a response's logits must be on one rank; set it to 1",
        ),
        (
            "actor_rollout_ref.actor.fsdp_config.ulysses_sequence_parallel_size",
            lambda value: value in (None, 1),
            "a response's logits must be on one rank; set it to 1",
        ),
        (
            "actor_rollout_ref.actor.fsdp_config.pad_to_length",
            lambda value: not value,
            "verl's packed padding would shift the logits; set it to False",
        ),
        (
            "actor_rollout_ref.actor.use_prefix_grouper",
            lambda value: not value,
            "the teacher's prompts share no prefix with the student's; set it to False",
        ),
        (
            "actor_rollout_ref.actor.loss_scale_factor",
            lambda value: (
                value is not None or select("actor_rollout_ref.actor.loss_agg_mode") != "seq-mean-token-sum-norm"
            ),
            "loss_agg_mode=seq-mean-token-sum-norm would divide by a micro-batch's padded length; set it to a number",
        ),
        (
            "actor_rollout_ref.actor.entropy_coeff",
            lambda value: not value,
            "SDPO's loss has no entropy term; set it to 0",
        ),
        (
            "actor_rollout_ref.actor.use_kl_loss",
            lambda value: not value,
            "SDPO's loss has no KL term to a reference yet; set it to False",
        ),
        (
            "algorithm.use_kl_in_reward",
            lambda value: not value,
            "rewards enter SDPO as success or failure only; set it to False",
        ),
        (
            "algorithm.rollout_correction.bypass_mode",
            lambda value: not value,
            "the rollout's weights are computed against the recomputed log-probs; set it to False",
        ),
        (
            "actor_rollout_ref.model.lora_rank",
            lambda value: value is None or (isinstance(value, int) and value <= 0),
            "an average of LoRA factors is not the average of the weights; set it to 0",
        ),
        (
            "actor_rollout_ref.model.lora.rank",
            lambda value: value is None or (isinstance(value, int) and value <= 0),
            "an average of LoRA factors is not the average of the weights; set it to 0",
        ),
        ("actor_rollout_ref.model.lora_adapter_path", lambda value: not value, "train full weights; set it to null"),
        (
            "distillation.enabled",
            lambda value: not value,
            "verl's own distillation has another teacher; set it to False",
        ),
    ]
    faults = [
        f"{key}={select(key)!r} is not supported {because}: {remedy}"
        for key, is_fine, remedy in rules
        if not is_fine(select(key))
    ]
    if select("algorithm.adv_estimator") == "gae":
        faults.append(f"algorithm.adv_estimator='gae' would train a critic that nobody reads {because}: set it to grpo")
    return faults


def _selector(config: DictConfig) -> Callable[[str], object]:
    return lambda key: OmegaConf.select(config, key)
