# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A second set of weights for the student's own module.

There is no second model: to let a teacher speak, its shards change places with the student's, and back afterwards.
That costs one copy of the trainable weights in memory and a few memory copies a step, needs no communication, and keeps
the teacher's computation the student's, whatever the model. Weights that are not trained, such as a LoRA model's base,
are the same for both and are not copied.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


def local_shard(parameter: torch.Tensor) -> torch.Tensor:
    """The part of `parameter` that this rank holds, sharing memory with it; all of it where nothing is sharded."""
    tensor = parameter.detach()
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def reshard(module: nn.Module) -> None:
    """Drop FSDP2's gathered copies of the weights and register the shards as the module's parameters again.

    With `reshard_after_forward=False` the copies outlive a forward without a backward. Until they are dropped, they are
    what `named_parameters` returns, and what the next forward computes with, however the shards change.
    """
    for part in module.modules():
        if hasattr(part, "reshard"):
            part.reshard()


class WeightShards:
    """A copy of a module's trainable weights as they are now, sharded as the module is.

    Args:
        module: the student. Its parameters are read where they are (CPU or GPU) and never replaced.
        dtype: of the copy; None keeps each parameter's own.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype | None = None) -> None:
        self._module = module
        reshard(module)
        # A copy also where the dtype is the same: the student moves on.
        self._shards = {
            name: local_shard(parameter).to(dtype or parameter.dtype, copy=True)
            for name, parameter in _trainable(module).items()
        }

    @torch.no_grad()
    def move_towards_student(self, share: float) -> None:
        """`shard <- (1 - share) * shard + share * student`, in place."""
        for _, shard, student in self._pairs():
            shard.lerp_(student.to(device=shard.device, dtype=shard.dtype), share)

    @torch.no_grad()
    def squared_distance(self) -> tuple[torch.Tensor, torch.Tensor]:
        """`(sum of squared differences to the student, sum of squared student weights)` of this rank, fp32 scalars."""
        distance, size = [], []
        for _, shard, student in self._pairs():
            student = student.to(device=shard.device, dtype=torch.float32)
            distance.append((shard.float() - student).square().sum())
            size.append(student.square().sum())
        return torch.stack(distance).sum(), torch.stack(size).sum()

    @contextlib.contextmanager
    def in_place_of_student(self) -> Iterator[None]:
        """Within this context the module computes with these weights. Both come back bit for bit."""
        kept = self._exchange()
        try:
            yield
        finally:
            self._give_back(kept)

    @torch.no_grad()
    def _exchange(self) -> dict[str, torch.Tensor]:
        """Put the shards in; return the student's shards that do not fit into their memory exactly."""
        kept = {}
        for name, shard, student in self._pairs():
            if student.dtype == shard.dtype:
                student_copy = student.clone()
                student.copy_(shard)
                shard.copy_(student_copy)
            else:
                # A lower precision rounds the shard, which must not come back rounded.
                kept[name] = student.clone()
                student.copy_(shard)
        return kept

    @torch.no_grad()
    def _give_back(self, kept: dict[str, torch.Tensor]) -> None:
        for name, shard, student in self._pairs():
            if name in kept:
                student.copy_(kept[name])
            else:
                shard_copy = student.clone()
                student.copy_(shard)
                shard.copy_(shard_copy)

    def _pairs(self) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
        """`(name, shard, student's shard)`. Strict: a parameter that came or went is an error."""
        reshard(self._module)
        parameters = _trainable(self._module)
        if parameters.keys() != self._shards.keys():
            changed = sorted(parameters.keys() ^ self._shards.keys())
            raise RuntimeError(f"the student's parameters changed under its teacher: {changed[:5]}")
        for name, shard in self._shards.items():
            yield name, shard, local_shard(parameters[name])

    def state_dict(self) -> dict[str, torch.Tensor]:
        """This rank's shards by parameter name, on the CPU."""
        return {name: shard.cpu() for name, shard in self._shards.items()}

    def load_state_dict(self, shards: dict[str, torch.Tensor]) -> None:
        """Take over shards saved by `state_dict`; nothing is changed where they do not fit.

        Raises:
            ValueError: other parameter names, or other local shapes.
        """
        if shards.keys() != self._shards.keys():
            changed = sorted(shards.keys() ^ self._shards.keys())
            raise ValueError(f"the checkpoint's teacher has other parameters than this model: {changed[:5]}")
        for name, shard in self._shards.items():
            if shards[name].shape != shard.shape:
                raise ValueError(
                    f"the checkpoint's teacher has shape {tuple(shards[name].shape)} for {name}, this rank's shard has "
                    f"{tuple(shard.shape)}: resume with the same model and the same number of ranks"
                )
        for name, shard in self._shards.items():
            shard.copy_(shards[name])


def _trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
