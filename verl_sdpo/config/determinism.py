# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`trainer.full_determinism`: one switch for what has to be set together (docs/reliability.md, "Determinism").

verl's own switch of the rollout gives every request the same seed in its V1 trainer, so that all rollouts of a prompt
are one and the same; it is refused without ours.
"""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf, open_dict

KEY = "trainer.full_determinism"
ROLLOUT = "actor_rollout_ref.rollout"
OUR_MANAGER = "verl_sdpo.rollout.stop_reasons.StopReasonManager"
SEEDED_MANAGER = "verl_sdpo.rollout.request_seeds.SeededManager"


def is_deterministic(config: DictConfig) -> bool:
    """Whether two runs of this configuration are to be equal bit by bit."""
    return bool(OmegaConf.select(config, KEY))


def determinism_faults(config: DictConfig) -> list[str]:
    """One line for each setting that two equal runs could not have."""
    switch = OmegaConf.select(config, KEY)
    if not isinstance(switch, bool):
        return [f"{KEY}={switch!r} is neither True nor False: set it to one of them"]
    if not switch:
        key = f"{ROLLOUT}.full_determinism"
        if not OmegaConf.select(config, key):
            return []
        return [f"{key}=True gives all rollouts of a prompt the same seed: set {KEY}=True instead, which sets it too"]
    refused = [
        (
            "trainer.v1.trainer_mode",
            lambda value: value == "sync",
            "how far a rollout has come when weights change is a matter of time; set it to sync",
        ),
        (
            f"{ROLLOUT}.name",
            lambda value: value == "vllm",
            "requests are seeded for vLLM only; set it to vllm",
        ),
        (
            f"{ROLLOUT}.agent.agent_loop_manager_class",
            lambda value: value in (OUR_MANAGER, SEEDED_MANAGER),
            f"it would seed no requests; set it to {OUR_MANAGER}",
        ),
        (
            "algorithm.filter_groups.enable",
            lambda value: not value,
            "which prompts are drawn in the place of filtered ones depends on which were answered first; set it to "
            "False",
        ),
        (
            "trainer.v1.sampler.sync_refill_failed_groups",
            lambda value: not value,
            "which prompts are drawn in the place of failed ones depends on which were answered first; set it to False",
        ),
    ]
    return [
        f"{key}={value!r} is not supported with {KEY}=True: {remedy}"
        for key, is_fine, remedy in refused
        if not is_fine(value := OmegaConf.select(config, key))
    ]


def set_determinism(config: DictConfig) -> None:
    """Set, in a checked configuration with the switch on, what verl and vLLM need for it; without it, nothing."""
    if not is_deterministic(config):
        return
    with open_dict(config):
        rollout = config.actor_rollout_ref.rollout
        rollout.full_determinism = True
        rollout.agent.agent_loop_manager_class = SEEDED_MANAGER
        for engine in (config.actor_rollout_ref.actor, config.actor_rollout_ref.ref, config.critic):
            if "fsdp_config" in engine:
                engine.fsdp_config.full_determinism = True
        if config.trainer.device == "cpu":
            # vLLM's kernels for a CPU give a request other last bits beside other requests, and
            # VLLM_BATCH_INVARIANT, which verl sets, does not reach them. A prompt whose first half another request has
            # left in the cache is computed in other pieces.
            rollout.max_num_seqs = 1
            rollout.enable_prefix_caching = False
