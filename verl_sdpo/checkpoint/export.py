# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face folder of a checkpoint's student or teacher, by verl's own merger, with a model card."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.manifest import CheckpointError, Manifest
from verl_sdpo.checkpoint.model_card import model_card
from verl_sdpo.checkpoint.store import CheckpointStore, Choice, choose_given

# Kinds whose weights are those of one model, and in the checkpoint.
_WITH_WEIGHTS = ("ema", "frozen")
_ELSEWHERE = {
    "live": "the teacher is the student: export that",
    "trust_region": "the teacher is the mean of two models' log-probabilities, which no single model has",
    "external": "the teacher is a model of its own, which training does not change: it is where the run had it from",
}


def export(source: Path, target: Path, teacher: bool = False) -> Path:
    """Write the student, or the teacher, of a checkpoint; the weights in bfloat16, as verl's merger does.

    Args:
        source: a checkpoint, or a run's folder: its newest whole checkpoint.
        target: a folder that is not there, or empty.

    Raises:
        CheckpointError: the checkpoint is not whole, has no such model, or the target is in use.
    """
    return export_chosen(chosen(source), target, teacher)


def export_chosen(choice: Choice, target: Path, teacher: bool) -> Path:
    """`export` of a checkpoint that has been read already."""
    if target.exists() and any(target.iterdir()):
        raise CheckpointError(f"{target} is not empty: choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        actor = choice.folder / "actor"
        if teacher:
            actor = teacher_as_student(actor, Path(scratch) / "actor")
        merged = Path(scratch) / "merged"
        merge(actor, merged)
        (merged / "README.md").write_text(card_of(choice, teacher, merged), encoding="utf-8")
        if target.exists():
            target.rmdir()
        os.rename(merged, target)
    return target


def chosen(source: Path) -> Choice:
    """The checkpoint that a path means, read and found whole."""
    if source.name.startswith("global_step_"):
        return choose_given(source.absolute())
    # Not tidied: the run may be going on.
    choice = CheckpointStore(source.absolute()).choose(tidy=False)
    if choice.folder is None:
        raise CheckpointError(f"{source} has no checkpoint")
    return choice


def merge(actor: Path, target: Path) -> None:
    """verl's merger on the shards of all ranks."""
    from verl.model_merger.base_model_merger import ModelMergerConfig
    from verl.model_merger.fsdp_model_merger import FSDPModelMerger

    target.mkdir()
    config = ModelMergerConfig(
        operation="merge",
        backend="fsdp",
        local_dir=str(actor),
        target_dir=str(target),
        hf_model_config_path=str(actor / "huggingface"),
    )
    merger = FSDPModelMerger(config)
    merger.merge_and_save()
    merger.cleanup()


def teacher_as_student(actor: Path, target: Path) -> Path:
    """A folder as verl's merger reads it, with the teacher's shards in the places of the student's.

    Weights that are not trained are the same for both, and stay.
    """
    import torch

    target.mkdir(parents=True)
    shutil.copytree(actor / "huggingface", target / "huggingface")
    for name in ("fsdp_config.json", "lora_train_meta.json"):
        if (actor / name).exists():
            shutil.copy2(actor / name, target / name)
    for student_path in sorted(actor.glob("model_world_size_*.pt")):
        teacher_path = actor / student_path.name.replace("model_", "teacher_", 1)
        if not teacher_path.exists():
            raise CheckpointError(f"{teacher_path} does not exist: the checkpoint has no teacher")
        state = torch.load(teacher_path, map_location="cpu", weights_only=True)
        if state["kind"] not in _WITH_WEIGHTS:
            raise CheckpointError(f"{actor}: {_ELSEWHERE.get(state['kind'], 'its teacher has no weights of its own')}")
        # verl's shards are DTensors, of which torch loads no plain data; they are this run's own files.
        student = torch.load(student_path, map_location="cpu", weights_only=False)
        torch.save(with_shards(student, state["shards"]), target / student_path.name)
    return target


def with_shards(student: dict[str, Any], shards: dict[str, Any]) -> dict[str, Any]:
    """A rank's state of the student with these local shards in it; tied weights stay tied.

    Raises:
        CheckpointError: the shards are of another model.
    """
    import torch

    def local(tensor: torch.Tensor) -> torch.Tensor:
        return tensor._local_tensor if hasattr(tensor, "_local_tensor") else tensor

    if unknown := shards.keys() - student.keys():
        raise CheckpointError(f"the teacher has weights that the student has not: {sorted(unknown)[:3]}")
    with torch.no_grad():
        for name, shard in shards.items():
            own = local(student[name])
            if own.shape != shard.shape:
                raise CheckpointError(f"the teacher's {name} is {tuple(shard.shape)}, the student's {tuple(own.shape)}")
            # In place: a tied weight has the same memory under its other name.
            own.copy_(shard)
    return student


def card_of(choice: Choice, teacher: bool, merged: Path) -> str:
    """The card of what was exported; with a checkpoint without a mark it has no more than the step."""
    manifest: Manifest | None = choice.manifest
    return model_card(choice.folder, manifest, "teacher" if teacher else "student", (merged / "lora_adapter").exists())
