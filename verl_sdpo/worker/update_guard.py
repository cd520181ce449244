# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An update whose loss or gradient is not finite is not made, on any rank, and the schedule does not count it.

verl 0.9.1 looks at the norm of the gradient only, after the loss (`FSDPEngine.optimizer_step`), and steps the schedule
whether the student moved or not (`TrainingWorker.train_batch`). A loss that is not finite can have a finite gradient,
and each rank sees the losses of its own samples only, so the ranks agree here before the optimizer is asked.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from verl.utils.device import get_device_name


@contextlib.contextmanager
def guarded_update(engine: Any, has_moved: bool) -> Iterator[None]:
    """Within this context the engine makes only updates whose loss is finite on all ranks, as well as their gradient.

    An update that is not made reports a norm of NaN. It stands around `forward_backward_batch`, `optimizer_step` and
    `lr_scheduler_step` of verl's `FSDPEngine` (verl 0.9.1).

    Args:
        has_moved: whether an earlier mini-batch of this training step has moved the student. The schedule counts
            training steps in which it moved.
    """
    run, move, advance = engine.forward_backward_batch, engine.optimizer_step, engine.lr_scheduler_step
    losses: list[float] = []
    moved: list[bool] = []

    def forward_backward_batch(*args: Any, **kwargs: Any) -> Any:
        outputs = run(*args, **kwargs)
        losses[:] = outputs["loss"]
        return outputs

    def optimizer_step() -> float:
        if not _all_finite(losses, engine):
            engine.optimizer_zero_grad()
            return math.nan
        norm = move()
        moved.append(math.isfinite(norm))
        return norm

    def lr_scheduler_step() -> float:
        return advance() if any(moved) or has_moved else engine.lr_scheduler.get_last_lr()[0]

    with contextlib.ExitStack() as stack:
        for function in (forward_backward_batch, optimizer_step, lr_scheduler_step):
            stack.enter_context(_replaced(engine, function))
        yield


def _all_finite(losses: list[float], engine: Any) -> bool:
    """Whether the losses of this mini-batch, one for each micro-batch, are finite on all ranks; a collective call."""
    num_odd = torch.tensor([sum(not math.isfinite(loss) for loss in losses)], device=get_device_name())
    torch.distributed.all_reduce(num_odd, group=engine.get_data_parallel_group())
    return num_odd.item() == 0


@contextlib.contextmanager
def _replaced(engine: Any, function: Callable[..., Any]) -> Iterator[None]:
    name = function.__name__
    before = vars(engine).get(name)
    setattr(engine, name, function)
    try:
        yield
    finally:
        # Somebody else may have replaced it on this object.
        if before is None:
            delattr(engine, name)
        else:
            setattr(engine, name, before)
