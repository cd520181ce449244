# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a chunk of logits is reduced to, and the gradient that is made of it in the same memory.

A loss over a support and its tail sees a row of logits through few numbers: the logits of the support, the sampled
token's, and the logsumexp of all others. So its gradient at the other ids is one number a row times the exponentials
that were summed, and needs no second tensor over the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

# Rows are worked on together up to this many logits on a CPU, so that a block stays in the caches.
_CPU_BLOCK = 1 << 20


@dataclass(frozen=True)
class Reduced:
    """A chunk of one model's logits, `n` ids of each row set apart from the rest."""

    support: torch.Tensor  # (num_rows, n), the logits of the ids
    token_logits: torch.Tensor  # (num_rows,), the sampled token's
    log_others: torch.Tensor  # (num_rows,), logsumexp of the logits of all other ids
    log_normalizer: torch.Tensor  # (num_rows,), logsumexp of all logits
    entropy: torch.Tensor  # (num_rows,), in nats, over the whole vocabulary
    others_sum: torch.Tensor  # (num_rows,), of the exponentials that are left in place of the logits


def reduce_in_place(logits: torch.Tensor, ids: torch.Tensor, token_ids: torch.Tensor) -> Reduced:
    """Reduce `logits`, `(num_rows, vocab)`, float32 or float64, and leave in it exp(logit - row maximum), 0 at `ids`.

    Args:
        ids: `(num_rows, n)`; may hold an id twice.
        token_ids: `(num_rows,)`, the sampled tokens.
    """
    support = logits.gather(-1, ids)
    token_logits = logits.gather(-1, token_ids[:, None]).squeeze(-1)
    maximum = logits.amax(-1, keepdim=True)
    sums, products, others = (torch.empty_like(token_logits) for _ in range(3))
    for rows in row_blocks(logits):
        block = logits[rows].sub_(maximum[rows])
        # An id that the head excludes has -inf, which times its probability of 0 would be NaN.
        block.clamp_(min=torch.finfo(block.dtype).min)
        exps = block.exp()
        sums[rows] = exps.sum(-1)
        products[rows] = block.mul_(exps).sum(-1)
        exps.scatter_(-1, ids[rows], 0.0)
        others[rows] = exps.sum(-1)
        block.copy_(exps)
    log_sums, maximum = sums.log(), maximum.squeeze(-1)
    return Reduced(
        support=support,
        token_logits=token_logits,
        log_others=(others.log() + maximum).clamp(min=torch.finfo(logits.dtype).min),
        log_normalizer=log_sums + maximum,
        entropy=log_sums - products / sums,
        others_sum=others,
    )


def gradient_in_place(
    exps: torch.Tensor,
    reduced: Reduced,
    ids: torch.Tensor,
    support_gradient: torch.Tensor,
    others_gradient: torch.Tensor,
) -> torch.Tensor:
    """The gradient with respect to the logits, made of what `reduce_in_place` left; returns `exps`.

    Args:
        support_gradient: `(num_rows, n)`, with respect to `reduced.support`.
        others_gradient: `(num_rows,)`, with respect to `reduced.log_others`.
    """
    has_others = reduced.others_sum > 0
    factor = torch.where(has_others, others_gradient / reduced.others_sum.where(has_others, 1.0), 0.0)
    for rows in row_blocks(exps):
        exps[rows].mul_(factor[rows, None]).scatter_add_(-1, ids[rows], support_gradient[rows])
    return exps


def row_blocks(logits: torch.Tensor) -> Iterator[slice]:
    """Rows to work on at a time: all of them on an accelerator."""
    num_rows, vocab = logits.shape
    size = max(_CPU_BLOCK // max(vocab, 1), 1) if logits.device.type == "cpu" else max(num_rows, 1)
    for start in range(0, num_rows, size):
        yield slice(start, start + size)
