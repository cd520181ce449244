# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A policy gradient of the tokens at which the policy was least sure (arXiv 2506.01939), a baseline of the paper's.

Where an advantage is 0 there is no gradient, and the mean over tokens still divides by all of them, as there.
"""

from __future__ import annotations

import math

import torch


def high_entropy_advantages(
    advantages: torch.Tensor, entropy: torch.Tensor, mask: torch.Tensor, fraction: float
) -> torch.Tensor:
    """The advantages, 0 but at the given fraction of a batch's tokens.

    Args:
        advantages: `(bsz, response_len)`.
        entropy: of the policy over the whole vocabulary before the update, `(bsz, response_len)`, in nat.
        mask: `(bsz, response_len)`, nonzero where a token counts.
        fraction: above 0, at most 1; the number of tokens is rounded up. Tokens as unsure as the last one stay too.
    """
    counts = mask != 0
    values = entropy[counts]
    if values.numel() == 0:
        return torch.zeros_like(advantages)
    # Not `torch.quantile`, which refuses more than 16 million values and interpolates.
    num_kept = math.ceil(fraction * values.numel())
    threshold = values.kthvalue(values.numel() - num_kept + 1).values
    return torch.where(counts & (entropy >= threshold), advantages, torch.zeros_like(advantages))
