# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""All that training moves on a rank, kept to return to: student, optimizer, schedule, teacher, random states.

The copies are in the host's memory: of the trained weights, and of the teacher's own. An optimizer that has not made a
step has no state to copy.
"""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from verl_sdpo.teacher.interface import Teacher
from verl_sdpo.teacher.shards import local_shard, reshard


class BaseState:
    """A copy of what `engine` and `teacher` are now.

    Args:
        engine: verl's FSDP engine.
        teacher: of the same rank.
        seed: of this process's generators (Python's, numpy's, torch's), begun anew so that every return to the base
            draws what the first run drew.
        rank: two ranks draw different numbers.
    """

    def __init__(self, engine: Any, teacher: Teacher, seed: int, rank: int) -> None:
        self._engine, self._teacher = engine, teacher
        _seed_all(seed, rank)
        self._weights = {name: shard.to("cpu", copy=True) for name, shard in self._shards()}
        self._rest = {name: copy.deepcopy(part) for name, part in self._parts().items()}

    @torch.no_grad()
    def restore(self) -> None:
        """Copy everything back, to where it is now."""
        for name, shard in self._shards():
            shard.copy_(self._weights[name])
        # Each of these may keep what it is given.
        rest = copy.deepcopy(self._rest)
        self._engine.optimizer.zero_grad()
        self._engine.optimizer.load_state_dict(rest["optimizer"])
        if self._engine.lr_scheduler is not None:
            self._engine.lr_scheduler.load_state_dict(rest["schedule"])
        self._teacher.load_state_dict(rest["teacher"])
        self._engine.checkpoint_manager.load_rng_state(rest["random"])

    def digest_now(self) -> str:
        """A hash of every bit of the present state; equal where the states are."""
        digest = hashlib.blake2b(digest_size=16)
        for path, value in _leaves({"student": dict(self._shards()), **self._parts()}):
            digest.update(path.encode())
            digest.update(_bytes(value))
        return digest.hexdigest()

    def _shards(self) -> Iterator[tuple[str, torch.Tensor]]:
        reshard(self._engine.module)
        for name, parameter in self._engine.module.named_parameters():
            if parameter.requires_grad:
                yield name, local_shard(parameter)

    def _parts(self) -> dict[str, Any]:
        schedule = self._engine.lr_scheduler
        return {
            "optimizer": self._engine.optimizer.state_dict(),
            "schedule": None if schedule is None else schedule.state_dict(),
            "teacher": self._teacher.state_dict(),
            "random": self._engine.checkpoint_manager.get_rng_state(),
        }


def _seed_all(seed: int, rank: int) -> None:
    number = int.from_bytes(hashlib.sha256(f"base/{seed}/{rank}".encode()).digest()[:4], "big")
    random.seed(number)
    np.random.seed(number)
    # The accelerator's too, where there is one.
    torch.manual_seed(number)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in value:
            yield from _leaves(value[key], f"{path}/{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}/{index}")
    else:
        yield path, value


def _bytes(value: Any) -> bytes | memoryview:
    if isinstance(value, torch.Tensor):
        plain = local_shard(value).cpu().contiguous()
        # As bytes: numpy has no bfloat16.
        return memoryview(plain.reshape(-1).view(torch.uint8).numpy())
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return repr(value).encode()
