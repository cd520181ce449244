# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The model's output head, set apart from the model.

A teacher's logits are its final hidden states times the head's weight. Keeping hidden states of the response tokens,
hidden size wide, in place of logits, vocabulary wide, is what makes it affordable to run the teacher once a step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

# Names of the factors by which some architectures change logits after the head, with the value that changes nothing.
_LOGIT_CHANGES = {
    "final_logit_softcapping": None,
    "logits_scaling": 1.0,
    "logit_scale": 1.0,
    "lm_head_multiplier": 1.0,
    "mup_width_multiplier": 1.0,
    "output_multiplier_scale": 1.0,
}


def check_output_head(model_config: Any) -> None:
    """Refuse models whose logits are not their head's output.

    Raises:
        ValueError: the model's configuration scales or caps logits after the head.
    """
    for key, neutral in _LOGIT_CHANGES.items():
        value = getattr(model_config, key, None)
        if value is not None and value != neutral:
            raise ValueError(
                f"the model's config has {key}={value!r}: its logits are changed after the output head, which SDPO's "
                "teacher does not do yet; use a model without it"
            )


def output_head(module: nn.Module) -> nn.Module:
    """The layer from hidden states to logits.

    Raises:
        ValueError: the model names none, or one that is more than a matrix and a bias.
    """
    head = module.get_output_embeddings()
    if head is None or not isinstance(getattr(head, "weight", None), torch.Tensor):
        raise ValueError(f"{type(module).__name__} has no output head with a weight: SDPO needs one to distil logits")
    if hasattr(head, "base_layer"):  # PEFT's layers, whose `weight` is the base's alone
        raise ValueError(
            "the model's output head has a LoRA adapter of its own, which SDPO's teacher does not do yet; leave it out "
            "of actor_rollout_ref.model.target_modules, as 'all-linear' does"
        )
    return head


@dataclass(frozen=True)
class HeadWeights:
    """A head's weight `(vocab, hidden)` and bias `(vocab,)` or None, whole, on every rank."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """`(num_tokens, hidden)` to `(num_tokens, vocab)`, in the precision of `hidden`, as the head computes."""
        bias = None if self.bias is None else self.bias.to(hidden.dtype)
        return nn.functional.linear(hidden, self.weight.to(hidden.dtype), bias)


@torch.no_grad()
def gather_head(module: nn.Module, dtype: torch.dtype) -> HeadWeights:
    """The head's weights in `dtype`, gathered from all ranks: a collective call under FSDP2."""
    head = output_head(module)
    return HeadWeights(_whole(head.weight, dtype), _whole(getattr(head, "bias", None), dtype))


def _whole(parameter: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
    if parameter is None:
        return None
    tensor = parameter.detach()
    # A copy: the memory behind it will hold the student's weights again.
    return (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).to(dtype, copy=True)


@contextlib.contextmanager
def hidden_states_as_logits(module: nn.Module) -> Iterator[None]:
    """Within this context the model returns final hidden states where it returned logits."""
    head = output_head(module)
    head.forward = lambda hidden: hidden
    try:
        yield
    finally:
        del head.forward
