# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""With `trainer.full_determinism`: samples in an order that does not depend on who was answered first.

verl's V1 trainer gives prompts random names and takes samples as they come. Here a prompt is named after its step and
its place in what the data loader drew, and a batch is put in the order of prompt, session and output as soon as it is
sampled: padding, ranks, mini-batches and sums of metrics follow from that order.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1 import trainer_base
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer


@contextlib.contextmanager
def numbered_prompts(split: str, step: int) -> Iterator[None]:
    """Let verl's trainer name prompts by number instead of at random, for as long as this lasts.

    verl asks `uuid.uuid4()` for a prompt's name in the midst of `_fetch_one_gen_batch` and `_validate`, where no method
    of its own stands in between; so the name `uuid` in its module is what changes. A name has no underscore: verl
    splits its keys there.
    """
    numbers = itertools.count()
    original = trainer_base.uuid
    trainer_base.uuid = SimpleNamespace(uuid4=lambda: f"{split}-{step:08d}-{next(numbers):08d}")
    try:
        yield
    finally:
        trainer_base.uuid = original


def order_of(key: str) -> tuple[str, int, int]:
    """What samples are ordered by: (prompt, session, output), from verl's key `{uid}_{session}_{output}`."""
    uid, session, output = key.rsplit("_", 2)
    return uid, int(session), int(output)


def in_order(replay_buffer: ReplayBuffer) -> ReplayBuffer:
    """Make this buffer hand out its batches in order, whatever else was put around its `sample`; returns it."""
    sample = replay_buffer.sample

    def sample_in_order(*args: Any, **kwargs: Any) -> tuple[KVBatchMeta, dict[str, Any]]:
        batch, metrics = sample(*args, **kwargs)
        batch.reorder(sorted(range(len(batch)), key=lambda row: order_of(batch.keys[row])))
        return batch, metrics

    replay_buffer.sample = sample_in_order
    return replay_buffer


def seed_process(*parts: object) -> None:
    """Seed this process's generators (Python's, numpy's, torch's) with a number that follows from the parts."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class FixedOrder:
    """To stand before all other bases of a trainer.

    The driver's generators are seeded anew in each step, so that a resumed run draws what the whole one draws.
    """

    def _build_replay_buffer(self) -> ReplayBuffer:
        return in_order(super()._build_replay_buffer())

    def _next_train_batch(self, *args: Any, **kwargs: Any) -> Any:
        with self._numbered("train"):
            return super()._next_train_batch(*args, **kwargs)

    def _validate(self) -> dict[str, float]:
        with self._numbered("val"):
            return super()._validate()

    @contextlib.contextmanager
    def _numbered(self, split: str) -> Iterator[None]:
        seed_process(self.config.trainer.seed, split, self.global_steps)
        with numbered_prompts(split, self.global_steps):
            yield
