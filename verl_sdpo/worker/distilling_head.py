# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The output head as the place where the loss is made, so that no logits leave it.

verl's engine takes what the model returns for logits. Within `distilling_head` the head returns the loss values of each
token instead, and verl's steps from there on move a few numbers a token. The head's weight is whole only while the head
runs (FSDP2 gathers it for this call), which is why the loss is made there and not by a logits processor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from tensordict import TensorDict
from torch import nn
from verl.utils import tensordict_utils as tu

from verl_sdpo.worker.output_head import output_head

# From a micro-batch, hidden states `(..., hidden)` and the head to values `(..., num_columns)`.
HeadLoss = Callable[[TensorDict, torch.Tensor, nn.Module], torch.Tensor]


def why_not(module: nn.Module) -> str | None:
    """Why this model's head cannot be replaced in this way; None where it can."""
    head = module.get_output_embeddings()
    if not isinstance(head, nn.Linear) or type(head).forward is not nn.Linear.forward:
        return f"the model's output head is a {type(head).__name__}, which may do more than multiply by its weight"
    return None


@contextlib.contextmanager
def distilling_head(engine: Any, make_values: HeadLoss, read_values: Callable[..., Any]) -> Iterator[None]:
    """Within this context the engine's steps make loss values in the head.

    It stands around verl's `FSDPEngineWithLMHead.forward_step` (`verl/workers/engine/fsdp/transformer_impl.py`, verl
    0.9.1), the one place that knows the micro-batch and calls the model.

    Args:
        make_values: called in the head.
        read_values: in place of the engine's loss function; gets the values where that gets logits.
    """
    head, step = output_head(engine.module), engine.forward_step

    def forward_step(micro_batch: TensorDict, loss_function: Any, forward_only: bool) -> Any:
        head.forward = lambda hidden: make_values(micro_batch, hidden, head)
        # What comes out of the model is not to be divided by the temperature.
        undivided = micro_batch.copy()
        tu.assign_non_tensor(undivided, temperature=1.0)
        try:
            return step(undivided, loss_function=read_values, forward_only=forward_only)
        finally:
            del head.forward

    before = vars(engine).get("forward_step")
    engine.forward_step = forward_step
    try:
        yield
    finally:
        # Somebody else may have replaced it on this object.
        if before is None:
            del engine.forward_step
        else:
            engine.forward_step = before
