# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A sample of the prompts through the tokenizer and its chat template, as the run's agent loop does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.preflight.data import Seen
from verl_sdpo.preflight.fault import MOST_SHOWN, Fault, Findings
from verl_sdpo.preflight.model import MODEL, model_folder
from verl_sdpo.preflight.rows import SplitRows

_TOKENIZER = "actor_rollout_ref.model.tokenizer_path"
_LIMIT = "data.max_prompt_length"


def examine_prompts(config: DictConfig, seen: Seen) -> Findings:
    """A tokenizer that cannot be loaded, prompts that its template refuses, and prompts that are too long."""
    if not any(split.sample for split in seen.splits.values()):
        return Findings()
    key = _TOKENIZER if OmegaConf.select(config, _TOKENIZER) is not None else MODEL
    folder = model_folder(OmegaConf.select(config, key))
    if folder is None:
        return Findings([], [f"lengths of prompts were not checked: the tokenizer of {key} is not on this machine"])
    try:
        render = _renderer(config, folder, seen)
    except Exception as error:
        # Whatever a tokenizer's own code raises.
        problem = f"holds no tokenizer that can be loaded ({_told(error)})"
        where = f"{key}={OmegaConf.select(config, key)!r}"
        return Findings(
            [Fault("config", key, f"{where} {problem}", "save the tokenizer there, or name another folder")]
        )
    findings = Findings()
    for split in seen.splits.values():
        findings += _examine_split(config, split, render)
        findings.faults += _special_token_faults(split, seen.tokenizer.all_special_tokens)
    return findings


def _renderer(config: DictConfig, folder: Path, seen: Seen) -> Any:
    from verl.utils.tokenizer import hf_tokenizer

    from verl_sdpo.trainer.prompt_renderer import PromptRenderer

    tokenizer = hf_tokenizer(str(folder), trust_remote_code=bool(OmegaConf.select(config, "data.trust_remote_code")))
    if (template := OmegaConf.select(config, "actor_rollout_ref.model.custom_chat_template")) is not None:
        tokenizer.chat_template = template
    if not tokenizer.chat_template:
        raise ValueError("it has no chat template")
    seen.tokenizer = tokenizer
    return PromptRenderer(config, tokenizer, _model_type(config))


def _model_type(config: DictConfig) -> str | None:
    import json

    folder = model_folder(OmegaConf.select(config, MODEL))
    if folder is None:
        return None
    return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")


def _examine_split(config: DictConfig, split: SplitRows, render: Any) -> Findings:
    limit, refused, too_long, longest = OmegaConf.select(config, _LIMIT), [], [], 0
    for where, prompt, about in split.sample:
        try:
            length = len(render(prompt, about if isinstance(about, Mapping) else None))
        except Exception as error:
            # A template is a program too.
            refused.append((where, _told(error)))
            continue
        longest = max(longest, length)
        if isinstance(limit, int) and length > limit:
            too_long.append((where, length))
    faults = [
        Fault("data", where, f"the chat template refuses its prompt: {told}", "correct the row, or the template")
        for where, told in refused[:MOST_SHOWN]
    ]
    if too_long:
        faults.append(_long_fault(config, split, too_long, longest))
    kept = len(split.sample) - len(refused)
    notes = [f"{split.key}: longest of {kept} prompts has {longest} tokens, {_LIMIT}={limit}"] if kept else []
    return Findings(faults, notes)


def _special_token_faults(split: SplitRows, special_tokens: list[str]) -> list[Fault]:
    """Prompts in which somebody has written what ends a turn. It is no fault: it may be meant."""
    written = [
        (where, token)
        for where, prompt, _ in split.sample
        for token in [next((each for each in special_tokens if each in _words(prompt)), None)]
        if token is not None
    ]
    if not written:
        return []
    shown = "; ".join(f"{where} has {token!r}" for where, token in written[:MOST_SHOWN])
    more = f" and {len(written) - MOST_SHOWN} more" if len(written) > MOST_SHOWN else ""
    problem = (
        f"{len(written)} of {len(split.sample)} prompts hold words that are special tokens of the tokenizer, which "
        f"student and teacher read as such. {shown}{more}"
    )
    return [Fault("data", split.key, problem, "take them out if that is not meant", is_fatal=False)]


def _words(prompt: list[Mapping[str, Any]]) -> str:
    """All text of a prompt's messages."""
    contents = [message.get("content") for message in prompt]
    parts = [part for content in contents for part in (content if isinstance(content, list) else [content])]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str))


def _long_fault(config: DictConfig, split: SplitRows, too_long: list[tuple[str, int]], longest: int) -> Fault:
    """Fatal only where no step can be made of what remains."""
    filters = bool(OmegaConf.select(config, "data.filter_overlong_prompts"))
    shown = "; ".join(f"{where} has {length}" for where, length in too_long[:MOST_SHOWN])
    more = f" and {len(too_long) - MOST_SHOWN} more" if len(too_long) > MOST_SHOWN else ""
    is_whole = len(split.sample) == split.num_sampled_from
    size = OmegaConf.select(config, "data.train_batch_size") if split.key == "data.train_files" else 1
    left = split.num_sampled_from - len(too_long)
    is_fatal = len(too_long) == len(split.sample) or (
        filters and is_whole and isinstance(size, int) and 0 < left < size <= split.num_sampled_from
    )
    fate = "verl drops them" if filters else "the agent loop cuts them from the left"
    ending = f", which leaves {left} rows" if filters and is_whole else ""
    problem = (
        f"{len(too_long)} of {len(split.sample)} prompts are longer than {_LIMIT}="
        f"{OmegaConf.select(config, _LIMIT)}: {fate}{ending}. {shown}{more}"
    )
    return Fault("data", split.key, problem, f"set {_LIMIT} to {longest}, or take them out", is_fatal)


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200]
