# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The checks of a run's configuration, before Ray, a model or a GPU is touched.

Each fault is one line: the key, its value, what to do. All faults of a configuration are reported together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from omegaconf import DictConfig, ListConfig, OmegaConf

from verl_sdpo.checkpoint.facts import accept_faults
from verl_sdpo.config.determinism import determinism_faults
from verl_sdpo.config.self_distillation import KEY, SelfDistillationConfig
from verl_sdpo.watch.best_checkpoint import MODES
from verl_sdpo.watch.budget import Budget
from verl_sdpo.watch.callbacks import find_callbacks
from verl_sdpo.watch.updates import UpdateWatch
from verl_sdpo.watch.verdicts import VerdictLimits

SDPO = "sdpo"
TRAINER_MODES = ("sync", "colocate_async", "separate_async")
RESUME_MODES = ("auto", "disable", "resume_path")


class ConfigError(ValueError):
    """A configuration that cannot run. `faults` has one line for each reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def uses_sdpo(config: DictConfig) -> bool:
    """Whether SDPO is the run's policy loss or its advantage estimator; otherwise it is plain verl."""
    return SDPO in (
        OmegaConf.select(config, "actor_rollout_ref.actor.policy_loss.loss_mode"),
        OmegaConf.select(config, "algorithm.adv_estimator"),
    )


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
    if (engine := select("model_engine")) != "dp":
        faults.append(
            f"model_engine={engine!r} cannot be used: this package's configuration and SDPO's teacher are for verl's "
            "FSDP2 engine; set it to dp, or run another loss with python -m verl.trainer.main_ppo"
        )
    if not _is_whole(seed := select("trainer.seed"), least=0):
        faults.append(f"trainer.seed={seed!r} is no seed: set a whole number of at least 0")
    return faults + _high_entropy_faults(config) + determinism_faults(config) + _watching_faults(config)


def _high_entropy_faults(config: DictConfig) -> list[str]:
    select = _selector(config)
    key = "algorithm.high_entropy_fraction"
    fraction = select(key)
    if fraction is None:
        return []
    is_number = isinstance(fraction, int | float) and not isinstance(fraction, bool)
    if not is_number or not 0 < fraction <= 1:
        return [f"{key}={fraction!r} is no fraction: set a number above 0 and at most 1, or null for all tokens"]
    faults = []
    if select("actor_rollout_ref.actor.policy_loss.loss_mode") == SDPO:
        faults.append(f"{key}={fraction!r} is about a policy gradient, and the loss is sdpo: set it to null")
    if select("algorithm.rollout_correction.bypass_mode"):
        faults.append(
            f"{key}={fraction!r} needs the entropies of verl's pass for old log-probabilities: set "
            "algorithm.rollout_correction.bypass_mode=False"
        )
    return faults


def _watching_faults(config: DictConfig) -> list[str]:
    """What looks after a run (docs/watching.md)."""
    select = _selector(config)
    faults = []
    for max_time, max_generations in ((select("trainer.max_time"), None), (None, select("trainer.max_generations"))):
        try:
            Budget.parse(max_time, max_generations)
        except ValueError as error:
            faults.append(f"trainer.{error}")
    for limit in (
        {"sandbox_error": select("trainer.max_sandbox_error_fraction")},
        {"bad_test": select("trainer.max_bad_test_fraction")},
    ):
        try:
            VerdictLimits(**limit)
        except ValueError as error:
            faults.append(f"trainer.{error}")
    try:
        UpdateWatch(select("trainer.max_steps_without_update"))
    except ValueError as error:
        faults.append(f"trainer.{error}")
    for key in ("trainer.reward_timeout", "trainer.watchdog_seconds"):
        value = select(key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 < value < math.inf):
            faults.append(f"{key}={value!r} is no time: set a number of seconds above 0, or null for none")
    every = select("trainer.health_check_every")
    if every is not None and not _is_whole(every, least=1):
        faults.append(
            f"trainer.health_check_every={every!r} is no number of steps: set a whole number of at least 1, or null "
            "for no warnings"
        )
    mode = select("trainer.best_checkpoint.mode")
    if mode not in MODES:
        faults.append(f"trainer.best_checkpoint.mode={mode!r} is not known: choose one of {', '.join(MODES)}")
    metric = select("trainer.best_checkpoint.metric")
    save_freq, test_freq = select("trainer.save_freq"), select("trainer.test_freq")
    if metric is not None and (save_freq <= 0 or test_freq <= 0 or test_freq % save_freq != 0):
        faults.append(
            f"trainer.best_checkpoint.metric={metric!r} needs a checkpoint of each step that is validated: set "
            "trainer.save_freq and trainer.test_freq above 0 and the second to a multiple of the first, not "
            f"{save_freq} and {test_freq}"
        )
    if metric is not None and select("actor_rollout_ref.actor.checkpoint.async_save"):
        faults.append(
            f"trainer.best_checkpoint.metric={metric!r} needs checkpoints that are whole when verl has saved them: set "
            "actor_rollout_ref.actor.checkpoint.async_save=False"
        )
    faults += accept_faults(_listed(select("trainer.resume_accept_changes")))
    resume_mode, resume_path = select("trainer.resume_mode"), select("trainer.resume_from_path")
    if resume_mode not in RESUME_MODES:
        faults.append(f"trainer.resume_mode={resume_mode!r} is not known: choose one of {', '.join(RESUME_MODES)}")
    if resume_mode == "resume_path" and not (isinstance(resume_path, str) and "global_step_" in resume_path):
        faults.append(
            f"trainer.resume_mode={resume_mode!r} needs trainer.resume_from_path, a folder named global_step_<N>, not "
            f"{resume_path!r}"
        )
    names = select("trainer.callbacks")
    try:
        find_callbacks(names)
    except ValueError as error:
        faults.append(f"trainer.callbacks={names!r} cannot be used: {error}")
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


Rule = tuple[str, Callable[[object], bool], str]  # key, whether its value is fine, what is wrong and what to do


def _combination_faults(config: DictConfig) -> list[str]:
    """Settings of verl's that SDPO cannot honour. To ignore one silently would be worse than to refuse it."""
    select = _selector(config)
    is_loss = select("actor_rollout_ref.actor.policy_loss.loss_mode") == SDPO
    where = "actor_rollout_ref.actor.policy_loss.loss_mode" if is_loss else "algorithm.adv_estimator"
    rules = _teacher_rules() + _lora_rules(config) + (_loss_rules(config) if is_loss else [])
    faults = _broken(rules, f"{where}={SDPO}", select)
    if select(f"{KEY}.generation_by") == "teacher":
        faults += _broken(_teacher_generation_rules(), f"{KEY}.generation_by=teacher", select)
    return faults


def _broken(rules: list[Rule], because: str, select: Callable[[str], object]) -> list[str]:
    return [
        f"{key}={select(key)!r} is not supported with {because}: {remedy}"
        for key, is_fine, remedy in rules
        if not is_fine(select(key))
    ]


def _teacher_rules() -> list[Rule]:
    """Whatever asks the teacher."""
    return [
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
            "distillation.enabled",
            lambda value: not value,
            "verl's own distillation has another teacher; set it to False",
        ),
    ]


def _lora_rules(config: DictConfig) -> list[Rule]:
    """What would train or sample from something else than the adapter that was asked for (docs/lora.md)."""
    select = _selector(config)
    has_adapter = _is_whole(select("actor_rollout_ref.model.lora_rank"), least=1)
    has_separate_rollouts = select("trainer.v1.trainer_mode") == "separate_async"
    has_reference = select("actor_rollout_ref.actor.use_kl_loss") or select("algorithm.use_kl_in_reward")
    return [
        (
            "actor_rollout_ref.model.lora_rank",
            lambda value: value is None or _is_whole(value, least=0),
            "set it to a whole number, 0 for training all weights",
        ),
        (
            "actor_rollout_ref.model.lora.rank",
            lambda value: value is None or (_is_whole(value, least=0) and value == 0),
            "verl's FSDP engine does not read it, and its trainer and vLLM would take full weights for an adapter; set "
            "it to 0, and actor_rollout_ref.model.lora_rank instead",
        ),
        (
            "actor_rollout_ref.model.lora.adapter_path",
            lambda value: not value,
            "verl's FSDP engine does not read it; set it to null and actor_rollout_ref.model.lora_adapter_path instead",
        ),
        (
            "actor_rollout_ref.model.lora.dropout",
            lambda value: not value,
            "verl's FSDP engine does not read it; set it to 0",
        ),
        (
            "actor_rollout_ref.model.lora_adapter_path",
            lambda value: not value or has_adapter,
            "verl loads no adapter without actor_rollout_ref.model.lora_rank; set that to the adapter's rank",
        ),
        (
            "actor_rollout_ref.model.lora.merge",
            lambda value: value or not has_adapter or not has_separate_rollouts,
            "with trainer.v1.trainer_mode=separate_async verl sends the rollouts the base without its adapter; set it "
            "to True",
        ),
        (
            "actor_rollout_ref.model.lora.merge",
            lambda value: value or not has_adapter or has_separate_rollouts or select("trainer.device") != "cpu",
            "with trainer.device=cpu weights reach vLLM whole; set it to True",
        ),
        (
            "actor_rollout_ref.rollout.checkpoint_engine.backend",
            lambda value: value != "delta_sharded" or not has_adapter or not has_separate_rollouts,
            "it knows no adapters; set it to another backend of verl's, such as nccl",
        ),
        (
            "actor_rollout_ref.actor.fsdp_config.reshard_after_forward",
            lambda value: value or not has_adapter or not has_reference,
            "the reference of the KL term is the student with its adapter off, and an adapter that was off in gathered "
            "weights may not train any more; set it to True",
        ),
    ]


def _loss_rules(config: DictConfig) -> list[Rule]:
    """Only where SDPO is the loss."""
    select = _selector(config)
    weight = select(f"{KEY}.distillation_weight")
    is_hybrid = isinstance(weight, int | float) and weight < 1.0
    # Then the options themselves ask for alpha=1.0.
    is_sampled = select(f"{KEY}.credit_assignment") in ("token", "sequence") or (
        select(f"{KEY}.full_logit_distillation") is False
    )
    return [
        (
            f"{KEY}.advantage_clip",
            lambda value: value is None or select(f"{KEY}.alpha") == 1.0 or is_sampled,
            "of all divergences only the reverse KL has advantages; set alpha=1.0, or advantage_clip=null",
        ),
        (
            "actor_rollout_ref.actor.loss_scale_factor",
            lambda value: (
                value is not None or select("actor_rollout_ref.actor.loss_agg_mode") != "seq-mean-token-sum-norm"
            ),
            "loss_agg_mode=seq-mean-token-sum-norm would divide by a micro-batch's padded length; set it to a number",
        ),
        (
            "algorithm.use_kl_in_reward",
            lambda value: not value or is_hybrid,
            "rewards enter SDPO as success or failure only; set it to False",
        ),
        (
            "algorithm.rollout_correction.bypass_mode",
            lambda value: not value,
            "the rollout's weights are computed against the recomputed log-probs; set it to False",
        ),
        (
            "algorithm.adv_estimator",
            lambda value: value != "gae" or is_hybrid,
            "it would train a critic that nobody reads; set it to grpo",
        ),
        (
            "critic.enable",
            lambda value: not value or is_hybrid,
            "a loss that only distils reads no critic; set it to False",
        ),
        (
            "algorithm.adv_estimator",
            lambda value: value != SDPO or is_hybrid,
            "a loss that only distils reads no advantages; set it to grpo, or the loss_mode to vanilla",
        ),
    ]


def _teacher_generation_rules() -> list[Rule]:
    """Only where rollouts are sampled from the teacher's prompt, of which the student that is trained knows nothing."""
    return [
        (
            "algorithm.rollout_correction.rollout_is",
            lambda value: not value,
            "the rollout's log-probs are about the teacher's prompt, and weights made of them would take away what is "
            "to be learned; set it to null",
        ),
        (
            "algorithm.rollout_correction.rollout_rs",
            lambda value: not value,
            "the rollout's log-probs are about the teacher's prompt, and would reject what is to be learned; set it to "
            "null",
        ),
        (
            "algorithm.adv_estimator",
            lambda value: value != SDPO,
            "its advantages are about samples of the student; set it to grpo, and the loss_mode to sdpo",
        ),
        (
            "reward.reward_model.enable",
            lambda value: not value,
            "the reward model would read the teacher's prompt; set it to False",
        ),
        (
            "actor_rollout_ref.rollout.enable_rollout_routing_replay",
            lambda value: not value,
            "the recorded experts are those of the teacher's prompt; set it to False",
        ),
    ]


def _listed(value: object) -> object:
    return list(value) if isinstance(value, ListConfig) else value


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _selector(config: DictConfig) -> Callable[[str], object]:
    return lambda key: OmegaConf.select(config, key)
