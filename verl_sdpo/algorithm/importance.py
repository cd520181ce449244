# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Importance weights for tokens that the current student did not sample (paper A.4; used on the token level)."""

import torch

# As in verl's policy losses: a ratio beyond exp(20) says that something is broken, not how much to weigh a token.
_MAX_ABS_LOG_RATIO = 20.0


def truncated_rollout_weights(
    log_probs: torch.Tensor, rollout_log_probs: torch.Tensor, threshold: float
) -> torch.Tensor:
    """Weights by token for samples of a rollout engine: `min(exp(log_probs - rollout_log_probs), threshold)`.

    What verl's rollout correction gives with `rollout_is=token` and one threshold.

    Args:
        log_probs: any shape, floating: the student's log-probabilities of the sampled tokens.
        rollout_log_probs: same shape: the engine's.
        threshold: above 0.

    Returns:
        Same shape, detached, in the dtype of `log_probs`.
    """
    return _ratio(log_probs, rollout_log_probs).clamp(max=threshold)


def importance_weights(
    log_probs: torch.Tensor,
    old_log_probs: torch.Tensor | None,
    *,
    is_clip: float | None,
    rollout_is_weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights to multiply the token losses by.

    The weight is `min(exp(log_probs - old_log_probs), is_clip)`, times `rollout_is_weights`. The first factor corrects
    for the updates made since `old_log_probs` were computed and is exactly one when they are the current student's own;
    the second corrects for the rollout engine. Each is bounded on its own, so the product may exceed `is_clip`.

    Args:
        log_probs: any shape, floating: the student's log-probabilities of the sampled tokens.
        old_log_probs: same shape, those of the student at the start of the update; may be None if `is_clip` is.
        is_clip: upper bound of the ratio, above 0, or None to leave the ratio out.
        rollout_is_weights: same shape, bounded already; or None.

    Returns:
        weights: same shape, detached, in the dtype of `log_probs`.
        ratio: same shape, detached: `exp(log_probs - old_log_probs)` before clipping, for the metrics; computed even
            without `is_clip`, and one if there are no `old_log_probs`.

    Raises:
        ValueError: `is_clip` is not above 0 or lacks `old_log_probs`, or shapes differ.
    """
    if is_clip is not None and not is_clip > 0.0:
        raise ValueError(f"is_clip={is_clip!r} must be above 0: it is the largest ratio, 2.0 in the paper, or None")
    if is_clip is not None and old_log_probs is None:
        raise ValueError(f"is_clip={is_clip!r} needs old_log_probs, which is None: pass them, or set is_clip=None")
    for name, value in (("old_log_probs", old_log_probs), ("rollout_is_weights", rollout_is_weights)):
        if value is not None and value.shape != log_probs.shape:
            raise ValueError(
                f"{name} {tuple(value.shape)} and log_probs {tuple(log_probs.shape)} differ in shape: "
                "give one value per token"
            )
    log_probs = log_probs.detach()
    ratio = torch.ones_like(log_probs)
    if old_log_probs is not None:
        ratio = _ratio(log_probs, old_log_probs)
    weights = torch.ones_like(ratio) if is_clip is None else ratio.clamp(max=is_clip)
    if rollout_is_weights is not None:
        weights = weights * rollout_is_weights.detach().to(weights.dtype)
    return weights, ratio


def _ratio(log_probs: torch.Tensor, of_sampler: torch.Tensor) -> torch.Tensor:
    """Detached, in the dtype of `log_probs`."""
    log_ratio = log_probs.detach() - of_sampler.detach().to(log_probs.dtype)
    return log_ratio.clamp(-_MAX_ABS_LOG_RATIO, _MAX_ABS_LOG_RATIO).exp()
