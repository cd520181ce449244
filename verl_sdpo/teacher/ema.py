# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The EMA teacher: a running average of the student's weights (paper, Appendix A.2).

The average is a set of fp32 shards, one for each local shard of the student. There is no second model: to let the
teacher speak, its shards change places with the student's in the student's own module, and back afterwards. That costs
one copy of the weights in memory and a few memory copies a step, needs no communication, and keeps the teacher's
computation the student's, whatever the model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

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


class EmaTeacher:
    """An fp32 exponential moving average of a module's weights, sharded as the module is.

    Args:
        module: the student. Its parameters are read where they are (CPU or GPU) and never replaced.
        rate: share of the student that enters the average at each update, 0 to 1. 0 keeps the teacher as it started.
    """

    def __init__(self, module: nn.Module, rate: float) -> None:
        self.rate = rate
        self.num_updates = 0
        self._module = module
        reshard(module)
        # A copy even of fp32 weights: the student moves on.
        self._shards = {name: local_shard(p).to(torch.float32, copy=True) for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """`teacher <- (1 - rate) * teacher + rate * student`, in place, on local shards."""
        self.num_updates += 1
        if self.rate == 0.0:
            return
        for _, average, student in self._pairs():
            average.lerp_(student.to(device=average.device, dtype=torch.float32), self.rate)

    @torch.no_grad()
    def squared_distance(self) -> tuple[torch.Tensor, torch.Tensor]:
        """`(sum of squared differences to the student, sum of squared student weights)` of this rank, fp32 scalars."""
        distance, size = [], []
        for _, average, student in self._pairs():
            student = student.to(device=average.device, dtype=torch.float32)
            distance.append((average - student).square().sum())
            size.append(student.square().sum())
        return torch.stack(distance).sum(), torch.stack(size).sum()

    @contextlib.contextmanager
    def in_place_of_student(self) -> Iterator[None]:
        """Within this context the module computes with the teacher's weights. Both come back bit for bit."""
        kept = self._exchange()
        try:
            yield
        finally:
            self._give_back(kept)

    @torch.no_grad()
    def _exchange(self) -> dict[str, torch.Tensor]:
        """Put the teacher in; return the student's shards that do not fit into the teacher's memory exactly."""
        kept = {}
        for name, average, student in self._pairs():
            if student.dtype == average.dtype:
                student_copy = student.clone()
                student.copy_(average)
                average.copy_(student_copy)
            else:
                # A lower precision rounds the average, which must not come back rounded.
                kept[name] = student.clone()
                student.copy_(average)
        return kept

    @torch.no_grad()
    def _give_back(self, kept: dict[str, torch.Tensor]) -> None:
        for name, average, student in self._pairs():
            if name in kept:
                student.copy_(kept[name])
            else:
                teacher_copy = student.clone()
                student.copy_(average)
                average.copy_(teacher_copy)

    def _pairs(self) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
        """`(name, teacher shard, student shard)`. Strict: a parameter that came or went is an error."""
        reshard(self._module)
        parameters = dict(self._module.named_parameters())
        if parameters.keys() != self._shards.keys():
            changed = sorted(parameters.keys() ^ self._shards.keys())
            raise RuntimeError(f"the student's parameters changed under its teacher: {changed[:5]}")
        for name, average in self._shards.items():
            yield name, average, local_shard(parameters[name])

    def state_dict(self) -> dict[str, Any]:
        """This rank's shards (on the CPU), the rate they were made with and the number of updates."""
        shards = {name: average.cpu() for name, average in self._shards.items()}
        return {"kind": "ema", "rate": self.rate, "num_updates": self.num_updates, "shards": shards}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over shards saved by `state_dict`.

        Raises:
            ValueError: another kind of teacher, other parameter names, or other local shapes.
        """
        if state.get("kind") != "ema":
            raise ValueError(f"the checkpoint's teacher is of kind {state.get('kind')!r}, this run's is 'ema'")
        shards = state["shards"]
        if shards.keys() != self._shards.keys():
            changed = sorted(shards.keys() ^ self._shards.keys())
            raise ValueError(f"the checkpoint's teacher has other parameters than this model: {changed[:5]}")
        for name, average in self._shards.items():
            if shards[name].shape != average.shape:
                raise ValueError(
                    f"the checkpoint's teacher has shape {tuple(shards[name].shape)} for {name}, this rank's shard has "
                    f"{tuple(average.shape)}: resume with the same model and the same number of ranks"
                )
        for name, average in self._shards.items():
            average.copy_(shards[name])
        self.num_updates = state["num_updates"]
