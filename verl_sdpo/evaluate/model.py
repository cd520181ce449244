# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What is evaluated: a model that the engine can load, and what its run said of prompts and rewards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.adapter import merge_adapter
from verl_sdpo.checkpoint.export import chosen, export_chosen
from verl_sdpo.checkpoint.manifest import CheckpointError
from verl_sdpo.checkpoint.store import Choice
from verl_sdpo.evaluate.fault import EvaluateError, one_line
from verl_sdpo.preflight.model import is_path, model_folder


@dataclass(frozen=True)
class Source:
    """A model that was found, before anything is made of it."""

    # As it was asked for.
    name: str
    # A Hugging Face folder; None: a checkpoint, or a hub id that is not in the cache.
    folder: Path | None = None
    # A checkpoint, read and found whole.
    choice: Choice | None = None
    is_teacher: bool = False
    # The run's configuration; empty without a checkpoint.
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path | None:
        return None if self.choice is None else self.choice.folder

    def setting(self, key: str) -> Any:
        """A value of the run's configuration by its dotted key; None where there is none."""
        value: Any = self.settings
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def describe(self) -> dict[str, Any]:
        """For the results."""
        role = None if self.checkpoint is None else "teacher" if self.is_teacher else "student"
        checkpoint = None if self.checkpoint is None else str(self.checkpoint)
        return {"name": self.name, "checkpoint": checkpoint, "role": role}


def find(name: str, is_teacher: bool) -> Source:
    """The model that a path or a hub id means. Every byte of a checkpoint is read.

    Raises:
        EvaluateError: there is none, or the checkpoint is not whole.
    """
    path = Path(name).expanduser()
    if path.is_dir() and _is_checkpoint(path):
        try:
            choice = chosen(path)
        except (CheckpointError, OSError) as error:
            raise EvaluateError(f"MODEL={name} cannot be evaluated: {one_line(error)}") from error
        return Source(name, choice=choice, is_teacher=is_teacher, settings=_settings(choice.folder))
    if is_teacher:
        raise EvaluateError(f"--teacher needs a checkpoint, and MODEL={name} is none: leave it out, or name one")
    folder = model_folder(name)
    if folder is None and is_path(name):
        raise EvaluateError(f"MODEL={name} is no folder on this machine: name a checkpoint or a Hugging Face folder")
    if folder is not None and not (folder / "config.json").exists():
        raise EvaluateError(
            f"MODEL={name} holds neither global_step_<N> nor config.json: name a checkpoint or a Hugging Face folder"
        )
    return Source(name, folder=folder)


def _is_checkpoint(path: Path) -> bool:
    return path.name.startswith("global_step_") or any(path.glob("global_step_*"))


def _settings(checkpoint: Path) -> dict[str, Any]:
    try:
        settings = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        # Of verl's own trainer.
        return {}
    return settings if isinstance(settings, dict) else {}


def tokenizer_path(source: Source) -> str:
    """Where tokenizer and model configuration are, before shards are put together."""
    if source.checkpoint is not None:
        return str(source.checkpoint / "actor" / "huggingface")
    return source.name if source.folder is None else str(source.folder)


def loadable(source: Source, scratch: Path) -> str:
    """What the engine loads; a checkpoint's shards are put together in `scratch`, a LoRA adapter and its base too.

    Raises:
        EvaluateError: the checkpoint has no such model.
    """
    if source.choice is None:
        return tokenizer_path(source)
    try:
        folder = export_chosen(source.choice, scratch / "model", source.is_teacher)
        merge_adapter(folder)
        return str(folder)
    except (CheckpointError, OSError) as error:
        raise EvaluateError(f"MODEL={source.name} cannot be evaluated: {one_line(error)}") from error
