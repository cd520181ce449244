# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint says about its run (`verl_sdpo.checkpoint.facts`), read from the configuration and the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.checkpoint.durable import hashes_of
from verl_sdpo.checkpoint.facts import model_digests, plain_digest, text_digest
from verl_sdpo.config.self_distillation import KEY

_ORDER = ("shuffle", "seed", "train_batch_size", "gen_batch_size", "train_max_samples", "sampler")
_TEMPLATES = ("reprompt_template", "solution_template", "feedback_template", "privileged_context_template")
_OWN_ATTEMPT = ("include_own_attempt", "own_attempt_template")
# Of the teacher, by kind: what each reads besides its kind.
_TEACHER = {
    "ema": ("teacher_update_rate", "teacher_update_every", "teacher_warmup_steps"),
    "trust_region": ("trust_region_mix",),
    "external": ("external_teacher_path",),
}


def run_facts(config: DictConfig, tokenizer: Any, num_rows: int | None) -> dict[str, dict[str, Any]]:
    """The facts of a run; what is not known is left out.

    Args:
        tokenizer: None where it is not loaded.
        num_rows: of training, those that are left after filtering; None before that.
    """
    return {
        "model": _model(config, tokenizer),
        "data": _data(config, num_rows),
        "template": _template(config, tokenizer),
        "teacher": _teacher(config),
        "ranks": {"num": config.trainer.nnodes * config.trainer.n_gpus_per_node},
    }


def _model(config: DictConfig, tokenizer: Any) -> dict[str, Any]:
    model = config.actor_rollout_ref.model
    # A folder may have moved; what is in it counts.
    named = model_digests(Path(model.path)) if Path(model.path).is_dir() else {"path": model.path}
    return {
        **named,
        **({} if tokenizer is None else {"tokenizer": plain_digest(tokenizer.get_vocab())}),
        "lora_rank": model.get("lora_rank", 0),
        "lora_alpha": model.get("lora_alpha", None) if model.get("lora_rank", 0) else None,
    }


def _data(config: DictConfig, num_rows: int | None) -> dict[str, Any]:
    data = OmegaConf.to_container(config.data, resolve=True)
    files = data["train_files"]
    paths = [Path(file) for file in ([files] if isinstance(files, str) else files)]
    digests = hashes_of(path for path in paths if path.is_file())
    return {
        "train_files": [digests[path][:16] if path in digests else str(path) for path in paths],
        **({} if num_rows is None else {"num_rows": num_rows}),
        **{name: data.get(name) for name in _ORDER},
    }


def _template(config: DictConfig, tokenizer: Any) -> dict[str, Any]:
    options = OmegaConf.select(config, KEY) or {}
    return {
        **({} if tokenizer is None else {"chat_template": _digest_of_template(tokenizer)}),
        "apply_chat_template_kwargs": _plain(config.data.get("apply_chat_template_kwargs", None)) or {},
        **{name: options[name] for name in _TEMPLATES if name in options},
        # Only where it is used: checkpoints from before this option have no such fact.
        **({name: options[name] for name in _OWN_ATTEMPT} if options.get("include_own_attempt") else {}),
    }


def _digest_of_template(tokenizer: Any) -> str | None:
    template = getattr(tokenizer, "chat_template", None)
    return text_digest(template) if isinstance(template, str) else plain_digest(template)


def _teacher(config: DictConfig) -> dict[str, Any]:
    options = OmegaConf.select(config, KEY)
    if options is None:
        return {"kind": None}
    kind = options.teacher_regularization
    read: Sequence[str] = _TEACHER.get(kind, ())
    return {"kind": kind, **{name: options[name] for name in read}}


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
