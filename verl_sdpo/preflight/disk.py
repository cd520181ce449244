# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Is there room for checkpoints? An estimate from the size of the model's files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from verl_sdpo.preflight.fault import Fault, Findings
from verl_sdpo.preflight.model import MODEL, model_folder

_FOLDER = "trainer.default_local_dir"
_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1}
# Of each parameter in a checkpoint, in bytes: verl trains float32 weights, and Adam has two moments of each.
_WEIGHT_BYTES, _MOMENT_BYTES = 4, 8
_GIB = 1 << 30


def examine_disk(config: DictConfig) -> Findings:
    """Checkpoints that cannot be written: no permission, or no room for even one; a warning where all will not fit."""
    save_freq = OmegaConf.select(config, "trainer.save_freq")
    if not isinstance(save_freq, int) or save_freq <= 0:
        return Findings([], ["no checkpoint will be saved: trainer.save_freq is off"])
    path = OmegaConf.select(config, _FOLDER)
    folder = _nearest(Path(str(path)).absolute())
    if not folder.is_dir():
        return Findings([_fault(path, f"cannot be made: {folder} is no folder", "name another folder")])
    if not os.access(folder, os.W_OK | os.X_OK):
        return Findings([_fault(path, f"cannot be written: no permission for {folder}", "name another folder")])
    one = checkpoint_bytes(config)
    if one is None:
        return Findings([], ["disk space was not estimated: the model's files are not on this machine"])
    return _room(config, path, shutil.disk_usage(folder).free, one)


def checkpoint_bytes(config: DictConfig) -> int | None:
    """Size of one checkpoint, roughly; None where the model's files are not here. Adapters count as all weights."""
    parameters = _parameters(model_folder(OmegaConf.select(config, MODEL)))
    if parameters is None:
        return None
    if OmegaConf.select(config, "actor_rollout_ref.model.lora_rank"):
        # The base is saved with its adapter; moments are the adapter's alone, which is small.
        return parameters * _WEIGHT_BYTES
    contents = OmegaConf.select(config, "actor_rollout_ref.actor.checkpoint.save_contents") or []
    has_average = OmegaConf.select(config, "actor_rollout_ref.actor.self_distillation.teacher_regularization") == "ema"
    per_parameter = {"model": _WEIGHT_BYTES, "optimizer": _MOMENT_BYTES, "hf_model": 2}
    return parameters * (sum(per_parameter.get(name, 0) for name in contents) + (_WEIGHT_BYTES if has_average else 0))


def _parameters(folder: Path | None) -> int | None:
    if folder is None:
        return None
    files = list(folder.glob("*.safetensors")) or list(folder.glob("pytorch_model*.bin"))
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        size = sum(path.stat().st_size for path in files)
    except (OSError, ValueError):
        return None
    kind = settings.get("dtype") or settings.get("torch_dtype") or "float32"
    return size // _BYTES.get(str(kind), 2) if size else None


def _room(config: DictConfig, path: object, free: int, one: int) -> Findings:
    kept = OmegaConf.select(config, "trainer.max_actor_ckpt_to_keep")
    best = 1 if OmegaConf.select(config, "trainer.best_checkpoint.metric") is not None else 0
    told = f"a checkpoint is about {_gib(one)}, and {_gib(free)} are free"
    if one > free:
        remedy = "free some, or name another folder"
        return Findings([_fault(path, f"has no room for one checkpoint: {told}", remedy)])
    if isinstance(kept, int):
        # The new one is written before the oldest goes.
        count, why = kept + 1 + best, f"trainer.max_actor_ckpt_to_keep={kept} needs room for {kept + 1 + best}"
    else:
        count = _saves(config)
        why = "trainer.max_actor_ckpt_to_keep=None keeps all" + (f", which are {count}" if count else "")
    if count and count * one > free:
        remedy = "free some, keep fewer, or name another folder"
        return Findings([_fault(path, f"may get full: {told}; {why}", remedy, is_fatal=False)])
    return Findings([], [f"{path}: {told}; {why}"])


def _saves(config: DictConfig) -> int | None:
    """Checkpoints of the whole run, where the configuration says how long it is."""
    steps = OmegaConf.select(config, "trainer.total_training_steps")
    return -(-steps // config.trainer.save_freq) if isinstance(steps, int) and steps > 0 else None


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB / 10 else f"{size / (1 << 20):.1f} MiB"


def _fault(path: object, problem: str, remedy: str, is_fatal: bool = True) -> Fault:
    return Fault("disk", _FOLDER, f"{_FOLDER}={path} {problem}", remedy, is_fatal)
