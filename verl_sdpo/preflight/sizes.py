# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Values of verl's keys: types, ranges, and sizes of batches that must divide each other.

verl finds most of this too, one fault at a time, after its workers have started or with an assertion that names no key.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from verl_sdpo.preflight.fault import Fault

_ACTOR = "actor_rollout_ref.actor"
_ROLLOUT = "actor_rollout_ref.rollout"

_COUNTS = (
    "data.train_batch_size",
    "data.max_prompt_length",
    "data.max_response_length",
    f"{_ROLLOUT}.n",
    f"{_ROLLOUT}.tensor_model_parallel_size",
    f"{_ACTOR}.ppo_mini_batch_size",
    f"{_ACTOR}.ppo_epochs",
    "reward.num_workers",
    "trainer.nnodes",
    "trainer.n_gpus_per_node",
    "trainer.total_epochs",
)
_COUNTS_OR_NULL = (
    "data.gen_batch_size",
    f"{_ACTOR}.ppo_micro_batch_size",
    f"{_ACTOR}.ppo_micro_batch_size_per_gpu",
    f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu",
    f"{_ROLLOUT}.max_model_len",
    "trainer.total_training_steps",
    "trainer.max_actor_ckpt_to_keep",
)
# -1 is never, or all.
_COUNTS_OR_OFF = ("trainer.save_freq", "trainer.test_freq", "data.train_max_samples", "data.val_max_samples")
_SWITCHES = (
    "data.shuffle",
    "data.filter_overlong_prompts",
    f"{_ACTOR}.use_dynamic_bsz",
    f"{_ACTOR}.use_kl_loss",
    f"{_ACTOR}.shuffle",
    "trainer.val_before_train",
    "trainer.val_only",
    "algorithm.use_kl_in_reward",
)
_CHOICES = {
    "data.truncation": ("error", "left", "right", "middle"),
    f"{_ACTOR}.loss_agg_mode": (
        "token-mean",
        "seq-mean-token-sum",
        "seq-mean-token-mean",
        "seq-mean-token-sum-norm",
    ),
    f"{_ACTOR}.optim.lr_scheduler_type": ("constant", "cosine"),
    f"{_ROLLOUT}.name": ("vllm", "sglang", "trtllm"),
}
# Key: test, and what is expected.
_NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    f"{_ACTOR}.optim.lr": (lambda value: value >= 0, "a number of at least 0"),
    f"{_ACTOR}.optim.weight_decay": (lambda value: value >= 0, "a number of at least 0"),
    f"{_ACTOR}.optim.clip_grad": (lambda value: value > 0, "a number above 0"),
    f"{_ACTOR}.clip_ratio": (lambda value: value >= 0, "a number of at least 0"),
    f"{_ROLLOUT}.temperature": (lambda value: value >= 0, "a number of at least 0"),
    f"{_ROLLOUT}.top_p": (lambda value: 0 < value <= 1, "a number above 0 and up to 1"),
    f"{_ROLLOUT}.gpu_memory_utilization": (lambda value: 0 < value <= 1, "a number above 0 and up to 1"),
}
# verl/utils/tracking.py, verl 0.9.1: each tracker and the package that it imports. "tracking" is an older name.
LOGGERS = {
    "console": None,
    "file": None,
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "swanlab": "swanlab",
    "vemlp_wandb": "volcengine_ml_platform",
    "clearml": "clearml",
    "trackio": "trackio",
    "rl_insight": None,
    "tracking": "wandb",
}


def value_faults(config: DictConfig) -> list[Fault]:
    """Values that are of another type or out of range."""
    faults = []
    for keys, least, may_be_null, expected in (
        (_COUNTS, 1, False, "a whole number of at least 1"),
        (_COUNTS_OR_NULL, 1, True, "a whole number of at least 1, or null"),
        (_COUNTS_OR_OFF, -1, False, "a whole number, or -1 for off"),
    ):
        faults += [
            _fault(key, value, expected)
            for key, value in _values(config, keys)
            if not (_is_whole(value) and value >= least) and not (value is None and may_be_null)
        ]
    faults += [_fault(key, value, "True or False") for key, value in _values(config, _SWITCHES) if value not in (0, 1)]
    for key, value in _values(config, _CHOICES):
        if value not in _CHOICES[key]:
            faults.append(_fault(key, value, f"one of {', '.join(_CHOICES[key])}"))
    for key, value in _values(config, _NUMBERS):
        is_fine, expected = _NUMBERS[key]
        if not _is_number(value) or not is_fine(value):
            faults.append(_fault(key, value, expected))
    return faults + _logger_faults(config)


def batch_faults(config: DictConfig) -> list[Fault]:
    """Sizes that do not go together. Of sizes that are no numbers, `value_faults` speaks."""
    size, mini, per_rollout, per_node, nodes = (
        OmegaConf.select(config, key)
        for key in (
            "data.train_batch_size",
            f"{_ACTOR}.ppo_mini_batch_size",
            f"{_ROLLOUT}.n",
            "trainer.n_gpus_per_node",
            "trainer.nnodes",
        )
    )
    if not all(_is_whole(value) and value >= 1 for value in (size, mini, per_rollout, per_node, nodes)):
        return []
    faults, ranks = [], per_node * nodes
    if mini > size:
        faults.append(
            _combination(
                f"{_ACTOR}.ppo_mini_batch_size={mini}",
                f"is more than data.train_batch_size={size}",
                f"set it to a divisor of {size}, or data.train_batch_size to a multiple of it",
            )
        )
    elif size % mini:
        faults.append(
            _combination(
                f"data.train_batch_size={size}",
                f"is no multiple of {_ACTOR}.ppo_mini_batch_size={mini}",
                f"a step's last mini-batch is filled up with samples that teach nothing; {_near_multiples(size, mini)}",
                is_fatal=False,
            )
        )
    for key, prompts in (("data.train_batch_size", size), (f"{_ACTOR}.ppo_mini_batch_size", mini)):
        if (prompts * per_rollout) % ranks:
            unit = ranks // math.gcd(ranks, per_rollout)
            faults.append(
                _combination(
                    f"{key}={prompts}",
                    f"times {_ROLLOUT}.n={per_rollout} is {prompts * per_rollout} samples, which {ranks} ranks "
                    "(trainer.n_gpus_per_node times trainer.nnodes) cannot share equally",
                    _near_multiples(prompts, unit),
                )
            )
    if not faults:
        faults += _micro_batch_faults(config, mini * per_rollout // ranks)
    return faults + _parallel_faults(config, ranks) + _mode_faults(config, size, mini)


def length_faults(config: DictConfig) -> list[Fault]:
    """A rollout engine's window that cannot hold prompt and response."""
    # As long as its prompts may be: verl's default is data.max_prompt_length.
    prompt_key = f"{_ROLLOUT}.prompt_length"
    keys = (prompt_key, "data.max_response_length", f"{_ROLLOUT}.max_model_len")
    prompt, response, window = (OmegaConf.select(config, key) for key in keys)
    if prompt == OmegaConf.select(config, "data.max_prompt_length"):
        prompt_key = "data.max_prompt_length"
    if all(_is_whole(value) for value in (prompt, response, window)) and window < prompt + response:
        return [
            _combination(
                f"{_ROLLOUT}.max_model_len={window}",
                f"is less than {prompt_key}={prompt} and data.max_response_length={response} together",
                f"set it to at least {prompt + response}, or null",
            )
        ]
    return []


def _micro_batch_faults(config: DictConfig, samples: int) -> list[Fault]:
    """Of a rank's samples of one mini-batch, only whole micro-batches can be made."""
    if OmegaConf.select(config, f"{_ACTOR}.use_dynamic_bsz"):
        return []
    key = f"{_ACTOR}.ppo_micro_batch_size_per_gpu"
    micro, older = OmegaConf.select(config, key), OmegaConf.select(config, f"{_ACTOR}.ppo_micro_batch_size")
    faults = []
    if micro is None and older is None:
        faults.append(
            _combination(
                f"{key}=None", "is needed", f"set it to a divisor of {samples}, or {_ACTOR}.use_dynamic_bsz=True"
            )
        )
    elif micro is not None and older is not None:
        faults.append(_combination(f"{_ACTOR}.ppo_micro_batch_size={older}", f"is set beside {key}", "set it to null"))
    elif _is_whole(micro) and micro >= 1 and samples % micro:
        faults.append(
            _combination(
                f"{key}={micro}",
                f"does not divide the {samples} samples that a rank has of a mini-batch ({_ACTOR}.ppo_mini_batch_size "
                f"times {_ROLLOUT}.n, shared by all ranks)",
                f"set it to a divisor of {samples}",
            )
        )
    key = f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu"
    older = OmegaConf.select(config, f"{_ROLLOUT}.log_prob_micro_batch_size")
    if OmegaConf.select(config, key) is None and older is None:
        faults.append(_combination(f"{key}=None", "is needed", "set it to the samples of one forward pass"))
    return faults


def _parallel_faults(config: DictConfig, ranks: int) -> list[Fault]:
    size = OmegaConf.select(config, f"{_ROLLOUT}.tensor_model_parallel_size")
    if OmegaConf.select(config, "trainer.v1.trainer_mode") == "separate_async" or not _is_whole(size) or size < 1:
        return []
    if ranks % size:
        return [
            _combination(
                f"{_ROLLOUT}.tensor_model_parallel_size={size}",
                f"does not divide the {ranks} ranks of the run",
                "set it to a divisor of trainer.n_gpus_per_node times trainer.nnodes",
            )
        ]
    return []


def _mode_faults(config: DictConfig, size: int, mini: int) -> list[Fault]:
    """What verl's mode with rollouts of their own asks for."""
    if OmegaConf.select(config, "trainer.v1.trainer_mode") != "separate_async":
        return []
    key = "trainer.v1.separate_async.parameter_sync_step"
    steps = OmegaConf.select(config, key)
    if _is_whole(steps) and size != steps * mini:
        return [
            _combination(
                f"data.train_batch_size={size}",
                f"must be {key}={steps} times {_ACTOR}.ppo_mini_batch_size={mini} with separate_async",
                f"set it to {steps * mini}",
            )
        ]
    return []


def _logger_faults(config: DictConfig) -> list[Fault]:
    given = OmegaConf.select(config, "trainer.logger")
    names = list(given) if isinstance(given, list | ListConfig) else [given]
    if unknown := [name for name in names if name not in LOGGERS]:
        return [_fault("trainer.logger", unknown, f"some of {', '.join(LOGGERS)}")]
    return [
        _combination(
            f"trainer.logger={names}",
            f"has {name}, and its package {LOGGERS[name]} is not installed",
            f"install {LOGGERS[name]}, or leave {name} out",
        )
        for name in names
        if LOGGERS[name] is not None and importlib.util.find_spec(LOGGERS[name]) is None
    ]


def _near_multiples(value: int, unit: int) -> str:
    below, above = value - value % unit, value + unit - value % unit
    return f"set it to {above}" if below == 0 else f"set it to {below} or {above}"


def _values(config: DictConfig, keys: Any) -> list[tuple[str, Any]]:
    return [(key, OmegaConf.select(config, key)) for key in keys]


def _fault(key: str, value: Any, expected: str) -> Fault:
    return Fault("config", key, f"{key}={value!r} is not {expected}", f"set it to {expected}")


def _combination(setting: str, problem: str, remedy: str, is_fatal: bool = True) -> Fault:
    return Fault("config", setting.partition("=")[0], f"{setting} {problem}", remedy, is_fatal)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
