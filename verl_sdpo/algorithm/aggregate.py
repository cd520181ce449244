# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""From token losses to the scalar to minimise, independent of how a batch is split into micro-batches and ranks."""

import torch

LOSS_AGG_MODES = ("token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm")

# verl and the published implementation add this to a sequence's token count. It changes a one-token sequence by 1e-8,
# more than the agreement with both that the tests ask for.
_TOKEN_COUNT_EPSILON = 1e-8


def aggregate_loss(
    token_loss: torch.Tensor,
    mask: torch.Tensor,
    mode: str,
    *,
    num_tokens: int | float | torch.Tensor | None = None,
    num_sequences: int | float | torch.Tensor | None = None,
    dp_size: int = 1,
    loss_scale_factor: float | None = None,
) -> torch.Tensor:
    """Aggregate token losses with the meaning that verl gives to `loss_agg_mode`.

    With the counts of the whole mini-batch over all ranks, the sum over micro-batches and mean over `dp_size` ranks
    is the loss of the mini-batch, however it was split. Without them, the counts are those of `mask`.

    * `token-mean` (the paper's): sum over tokens / `num_tokens`.
    * `token-sum`: sum over tokens.
    * `seq-mean-token-sum`: each sequence's sum, summed / `num_sequences`.
    * `seq-mean-token-mean`: each sequence's mean, summed / `num_sequences`.
    * `seq-mean-token-sum-norm`: as `seq-mean-token-sum`, / `loss_scale_factor`.

    Args:
        token_loss: `(batch, response_len)`, floating. Values that the mask excludes are not read and may be NaN.
        mask: `(batch, response_len)`, any dtype, nonzero where a token counts.
        mode: one of the above.
        num_tokens: tokens that count; read in `token-mean`.
        num_sequences: sequences with a token that counts; read in the `seq-mean-*` modes.
        dp_size: ranks whose gradients are averaged afterwards.
        loss_scale_factor: above 0; read in `seq-mean-token-sum-norm`. By default `response_len`, which depends on the
            padding: give it where micro-batches are padded differently.

    Returns:
        Scalar, at least float32, attached to the graph; zero where no token counts.

    Raises:
        ValueError: unknown mode, shapes that differ, a setting out of range, or `dp_size > 1` without the global count.
    """
    if mode not in LOSS_AGG_MODES:
        raise ValueError(f"loss_agg_mode={mode!r} is unknown: use one of {list(LOSS_AGG_MODES)}")
    if token_loss.dim() != 2 or token_loss.shape != mask.shape:
        raise ValueError(
            f"token_loss {tuple(token_loss.shape)} and mask {tuple(mask.shape)} must both be (batch, response_len)"
        )
    if dp_size < 1:
        raise ValueError(f"dp_size={dp_size!r} must be at least 1: the number of data-parallel ranks")
    if loss_scale_factor is not None and not loss_scale_factor > 0.0:
        raise ValueError(f"loss_scale_factor={loss_scale_factor!r} must be above 0, or None for response_len")
    counts = mask != 0
    token_loss = token_loss.to(torch.promote_types(token_loss.dtype, torch.float32))
    token_loss = torch.where(counts, token_loss, 0.0)
    sequence_sums = token_loss.sum(-1)  # (batch,)
    if mode == "token-sum":
        return sequence_sums.sum() * dp_size
    if mode == "token-mean":
        return sequence_sums.sum() / _denominator(num_tokens, counts.sum(), "num_tokens", dp_size) * dp_size
    if mode == "seq-mean-token-mean":
        sequence_sums = sequence_sums / (counts.sum(-1).to(token_loss.dtype) + _TOKEN_COUNT_EPSILON)
    loss = sequence_sums.sum() / _denominator(num_sequences, counts.any(-1).sum(), "num_sequences", dp_size) * dp_size
    if mode == "seq-mean-token-sum-norm":
        loss = loss / (token_loss.shape[-1] if loss_scale_factor is None else loss_scale_factor)
    return loss


def _denominator(
    given: int | float | torch.Tensor | None, local: torch.Tensor, name: str, dp_size: int
) -> torch.Tensor | int | float:
    """The count to divide by, never below one: where nothing counts the numerator is zero and so is the loss."""
    if given is None:
        if dp_size > 1:
            raise ValueError(f"{name}=None with dp_size={dp_size!r}: pass the count over all ranks")
        given = local
    return given.clamp(min=1) if isinstance(given, torch.Tensor) else max(given, 1)
