# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The whole weights of a checkpoint's student or teacher, in the precision in which they were saved.

`verl_sdpo.checkpoint.export` is for models to be used, which verl's merger rounds to bfloat16. Whoever compares a
student with an average of it needs the digits that rounding takes away.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verl_sdpo.checkpoint.export import with_shards
from verl_sdpo.checkpoint.manifest import CheckpointError


def whole_weights(actor: Path, teacher: bool = False) -> dict[str, Any]:
    """Tensors by name, on the CPU.

    Args:
        actor: the folder `actor` of a checkpoint that was found whole.
        teacher: with the teacher's shards in place of the student's; weights that are not trained are the same.

    Raises:
        CheckpointError: files of a rank are missing, or the shards are put together in a way that is not known.
    """
    world_size = json.loads((actor / "fsdp_config.json").read_text(encoding="utf-8"))["world_size"]
    ranks = [_rank_state(actor, world_size, rank, teacher) for rank in range(world_size)]
    return {name: _joined(name, [state[name] for state in ranks]) for name in ranks[0]}


def teacher_state(actor: Path, rank: int = 0) -> dict[str, Any]:
    """What a rank has saved of the teacher: `kind`, and what that kind has besides.

    Raises:
        CheckpointError: there is none.
    """
    import torch

    found = sorted(actor.glob(f"teacher_world_size_*_rank_{rank}.pt"))
    if not found:
        raise CheckpointError(f"{actor} has no teacher_world_size_<N>_rank_{rank}.pt: the checkpoint has no teacher")
    return torch.load(found[0], map_location="cpu", weights_only=True)


def _rank_state(actor: Path, world_size: int, rank: int, teacher: bool) -> dict[str, Any]:
    import torch

    path = actor / f"model_world_size_{world_size}_rank_{rank}.pt"
    if not path.exists():
        raise CheckpointError(f"{path} does not exist: the checkpoint has not the files of all ranks")
    # verl's shards are DTensors, of which torch loads no plain data; they are this run's own files.
    state = torch.load(path, map_location="cpu", weights_only=False)
    return with_shards(state, teacher_state(actor, rank)["shards"]) if teacher else state


def _joined(name: str, shards: list[Any]) -> Any:
    """One tensor of all ranks' parts of it."""
    import torch

    first = shards[0]
    if not hasattr(first, "placements"):
        return first
    placements = list(first.placements)
    # With hybrid sharding each group of ranks, in the order of the mesh, has the whole.
    if len(placements) == 2 and placements[0].is_replicate():
        shards, placements = shards[: first.device_mesh.mesh.shape[-1]], placements[1:]
    if len(placements) != 1 or not (placements[0].is_shard() or placements[0].is_replicate()):
        raise CheckpointError(f"{name} is placed as {tuple(first.placements)}, which cannot be put together here")
    if placements[0].is_replicate():
        return first._local_tensor
    return torch.cat([shard._local_tensor for shard in shards], dim=placements[0].dim)
