# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the ranks of a run have saved, cut anew for another number of ranks: pure functions on values in memory.

FSDP2 gives each rank a contiguous part of a tensor's first dimension (`Shard(0)` on a mesh of one dimension), by the
rule of `torch.chunk`: all parts have ceil(size / ranks) rows, the last ones fewer or none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from verl_sdpo.checkpoint.manifest import CheckpointError

# By the memory of the parts that it is made of: a tied weight has one memory under two names, and keeps it.
Made = dict[tuple[tuple[int, int, torch.Size], ...], torch.Tensor]


def span(size: int, num_ranks: int, rank: int) -> tuple[int, int]:
    """Where a rank's part of `size` rows begins, and how many rows it has."""
    rows = -(-size // num_ranks)
    start = min(size, rank * rows)
    return start, min(size - start, rows)


def part_of(parts: Sequence[torch.Tensor], dim: int, num_ranks: int, rank: int) -> torch.Tensor:
    """The part that rank `rank` of `num_ranks` has of what `parts` are in order, as memory of its own.

    Of `parts` only the rows are read that it consists of, so that they may lie in a file.
    """
    start, length = span(sum(part.shape[dim] for part in parts), num_ranks, rank)
    pieces, before = [parts[0].narrow(dim, 0, 0)], 0
    for part in parts:
        low, high = max(start - before, 0), min(start + length - before, part.shape[dim])
        if low < high:
            pieces.append(part.narrow(dim, low, high - low))
        before += part.shape[dim]
    return torch.cat(pieces, dim)


class Resharder:
    """Makes what rank `rank` of `num_ranks` would have saved of what all ranks have saved.

    Raises:
        CheckpointError: values are sharded in another way than FSDP2's, or should be the same on all ranks and are not.
    """

    def __init__(self, num_ranks: int, rank: int) -> None:
        self.num_ranks, self.rank = num_ranks, rank
        self._meshes: dict[str, DeviceMesh] = {}

    def state(self, states: Sequence[Any]) -> Any:
        """Dictionaries, lists and tuples of DTensors, which are sharded, and of values that all ranks have."""
        made: Made = {}
        return _walk(states, "", lambda values, place: self._tensor(values, place, made))

    def like(self, parts: Sequence[Mapping[str, torch.Tensor]], model: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Local tensors by name, sharded as the tensor of that name in `model`, a rank's state, is."""
        made = {}
        for name in parts[0]:
            values = [part[name] for part in parts]
            if name not in model:
                raise CheckpointError(f"{name} is no weight of the model, so that its sharding is not known")
            if isinstance(model[name], DTensor):
                dim = _dim_of(model[name], len(parts), name)
                made[name] = part_of(values, dim, self.num_ranks, self.rank)
            else:
                made[name] = _same(values, name).clone()
        return made

    def _tensor(self, values: Sequence[torch.Tensor], place: str, made: Made) -> torch.Tensor:
        first = values[0]
        if not isinstance(first, DTensor):
            return _same(values, place).clone()
        dim = _dim_of(first, len(values), place)
        parts = [value._local_tensor for value in values]
        key = tuple((part.untyped_storage().data_ptr(), part.storage_offset(), part.shape) for part in parts)
        if key not in made:
            made[key] = part_of(parts, dim, self.num_ranks, self.rank)
        return self._placed(made[key], first)

    def _placed(self, local: torch.Tensor, like: DTensor) -> DTensor:
        """A DTensor of the whole that `like` is a part of. It is a record to be saved: nobody computes with it.

        Its constructor rather than `from_local`, which moves the part to the mesh's device, and asks for processes.
        """
        old = like._spec
        spec = type(old)(self._mesh(old.mesh), old.placements, tensor_meta=old.tensor_meta)
        return DTensor(local, spec, requires_grad=like.requires_grad)

    def _mesh(self, old: DeviceMesh) -> DeviceMesh:
        if old.device_type not in self._meshes:
            mesh = self._meshes[old.device_type] = DeviceMesh(
                old.device_type,
                list(range(self.num_ranks)),
                mesh_dim_names=old.mesh_dim_names,
                _init_backend=False,
                _rank=self.rank,
            )
            # By this name the loading process finds its group of all ranks, as it does with files that are not cut:
            # an optimizer takes the tensors of its file as they are.
            mesh._dim_group_names = old._dim_group_names
        return self._meshes[old.device_type]


def _walk(values: Sequence[Any], place: str, tensor: Callable[[Sequence[torch.Tensor], str], torch.Tensor]) -> Any:
    first = values[0]
    if any(type(value) is not type(first) for value in values):
        raise CheckpointError(f"{place or 'the state'} is of another type on some ranks")
    if isinstance(first, torch.Tensor):
        return tensor(values, place)
    if isinstance(first, dict):
        if any(value.keys() != first.keys() for value in values):
            raise CheckpointError(f"{place or 'the state'} has other entries on some ranks")
        # A copy also of what torch keeps beside the entries: the versions of modules.
        made = copy.copy(first)
        for name in first:
            made[name] = _walk([value[name] for value in values], f"{place}/{name}", tensor)
        return made
    if isinstance(first, list | tuple):
        if any(len(value) != len(first) for value in values):
            raise CheckpointError(f"{place} has another length on some ranks")
        return type(first)(
            _walk([value[index] for value in values], f"{place}/{index}", tensor) for index in range(len(first))
        )
    if any(value != first for value in values):
        raise CheckpointError(f"{place} should be the same on all ranks and is not")
    return first


def _same(values: Sequence[torch.Tensor], place: str) -> torch.Tensor:
    if any(value.shape != values[0].shape or not torch.equal(value, values[0]) for value in values):
        raise CheckpointError(
            f"{place} should be the same on all ranks and is not: only files of FSDP2 can be cut anew "
            "(actor_rollout_ref.actor.strategy=fsdp2)"
        )
    return values[0]


def _dim_of(tensor: DTensor, num_ranks: int, place: str) -> int:
    mesh, placements = tensor.device_mesh.mesh, tensor.placements
    is_plain = mesh.ndim == 1 and len(placements) == 1 and mesh.tolist() == list(range(num_ranks))
    if not (is_plain and placements[0].is_shard() and placements[0].dim == 0):
        raise CheckpointError(
            f"{place} is placed as {placements} on {mesh.tolist()}: only tensors whose first dimension all ranks share "
            "can be cut anew (actor_rollout_ref.actor.fsdp_config.fsdp_size=-1)"
        )
    return placements[0].dim
