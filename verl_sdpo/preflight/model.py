# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The model's folder, without loading the model: is it there, and do its sizes go with the configuration?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.config.checks import uses_sdpo
from verl_sdpo.config.self_distillation import KEY
from verl_sdpo.preflight.fault import Fault

MODEL = "actor_rollout_ref.model.path"
_REMOTE = ("hdfs://", "s3://")


def model_folder(path: Any) -> Path | None:
    """The folder on this machine: a path, or where the hub's cache has it; None where there is none."""
    if not isinstance(path, str) or not path:
        return None
    local = Path(os.path.expanduser(path))
    if local.is_dir():
        return local
    if is_path(path):
        return None
    # With transformers at the latest; its own function knows where the cache is.
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(path, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def model_faults(config: DictConfig) -> list[Fault]:
    """Folders of models that are not there or cannot be read, and lengths and sizes that the student has not."""
    faults = []
    keys = (MODEL, f"{KEY}.external_teacher_path") if uses_sdpo(config) else (MODEL,)
    for key in keys:
        path = OmegaConf.select(config, key)
        if path is not None or key == MODEL:
            faults += _folder_faults(key, path)
    if not faults and (folder := model_folder(OmegaConf.select(config, MODEL))) is not None:
        faults += _size_faults(config, json.loads((folder / "config.json").read_text(encoding="utf-8")))
    return faults


def _folder_faults(key: str, path: Any) -> list[Fault]:
    if not isinstance(path, str) or not path:
        return [_fault(key, path, "is no path", "set it to a Hugging Face folder or the name of a model")]
    folder = model_folder(path)
    if folder is None:
        if path.startswith(_REMOTE):
            return []
        if is_path(path):
            return [_fault(key, path, "is no folder on this machine", "give a Hugging Face folder with config.json")]
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
            return [
                _fault(
                    key,
                    path,
                    "is neither a folder nor in the hub's cache, and HF_HUB_OFFLINE is set",
                    "correct it, or fetch the model first",
                )
            ]
        return []
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [_fault(key, path, "holds no config.json", "give a folder that save_pretrained has written")]
    except (OSError, ValueError) as error:
        return [_fault(key, path, f"holds a config.json that cannot be read ({error})", "write the folder anew")]
    if not isinstance(content, dict):
        return [_fault(key, path, "holds a config.json that is no mapping", "write the folder anew")]
    return []


def _size_faults(config: DictConfig, model: dict[str, Any]) -> list[Fault]:
    # Models for text and images have the language model's settings in a section.
    text = model.get("text_config") or model
    faults = []
    topk, vocabulary = OmegaConf.select(config, f"{KEY}.distillation_topk"), text.get("vocab_size")
    if uses_sdpo(config) and isinstance(topk, int) and isinstance(vocabulary, int) and topk > vocabulary:
        faults.append(
            _fault(
                f"{KEY}.distillation_topk",
                topk,
                f"is more than the {vocabulary} ids of the model's vocabulary",
                f"set it to at most {vocabulary}, or null for all of them",
            )
        )
    lengths = [OmegaConf.select(config, f"data.max_{name}_length") for name in ("prompt", "response")]
    most = text.get("max_position_embeddings")
    is_known = all(isinstance(value, int) for value in (*lengths, most))
    if is_known and sum(lengths) > most and not text.get("rope_scaling"):
        faults.append(
            _fault(
                "data.max_response_length",
                lengths[1],
                f"and data.max_prompt_length={lengths[0]} are {sum(lengths)} tokens; the model has {most} positions",
                f"set them to at most {most} together",
            )
        )
    return faults


def is_path(path: str) -> bool:
    """Whether this can only be a path: a name at the hub has one slash at most, and no such beginning."""
    return path.startswith(("/", ".", "~", *_REMOTE)) or path.count("/") > 1


def _fault(key: str, value: Any, problem: str, remedy: str) -> Fault:
    return Fault("config", key, f"{key}={value!r} {problem}", remedy)
