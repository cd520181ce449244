# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The SDPO loss of a padded batch: the plain composition of divergence, importance weights and aggregation."""

import torch

from .aggregate import LOSS_AGG_MODES, aggregate_loss
from .importance import importance_weights
from .token_loss import TokenDistillation, distill_tokens


def self_distillation_loss(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    responses: torch.Tensor,
    response_mask: torch.Tensor,
    *,
    distillation_mode: str = "topk_logits",
    topk: int | None = 100,
    add_tail: bool | None = True,
    alpha: float = 0.5,
    support: str = "student",
    advantage_clip: float | None = None,
    is_clip: float | None = 2.0,
    old_log_probs: torch.Tensor | None = None,
    self_distillation_mask: torch.Tensor | None = None,
    rollout_is_weights: torch.Tensor | None = None,
    loss_agg_mode: str = "token-mean",
) -> tuple[torch.Tensor, dict[str, float]]:
    """The self-distillation loss (paper Eq. 1, section 2.3, A.3 and A.4).

    A token counts where `response_mask` is 1 and its sample has a target. Other positions are not read at all: they
    have zero gradient, and padding there may hold anything.

    Args:
        student_logits: `(batch, response_len, vocab)`, floating: the logits that predict `responses`, divided by the
            sampling temperature.
        teacher_logits: same shape, for the same responses in the teacher's context; gets no gradient.
        responses: `(batch, response_len)`, integer.
        response_mask: `(batch, response_len)`, 1 where a token counts.
        distillation_mode, topk, add_tail, alpha, support, advantage_clip: see `distill_tokens`; in `sampled_sequence`
            a sequence is the tokens of a row that count.
        is_clip, rollout_is_weights: see `importance_weights`; the weights are `(batch, response_len)`.
        old_log_probs: `(batch, response_len)`; required unless `is_clip` is None.
        self_distillation_mask: `(batch,)`, 1 where the sample has a target; by default every sample has one.
        loss_agg_mode: see `aggregate_loss`; counts are those of this batch.

    Returns:
        loss: scalar, at least float32; zero, with a zero gradient, where no token counts.
        metrics: see `distillation_metrics`, and `self_distillation/target_token_fraction`, the share of the response
            tokens that count.

    Raises:
        ValueError: a setting out of range or shapes that do not fit, naming both.
    """
    _check_batch(student_logits, teacher_logits, responses, response_mask)
    _check_optional(response_mask, old_log_probs, rollout_is_weights, self_distillation_mask)
    if loss_agg_mode not in LOSS_AGG_MODES:
        raise ValueError(f"loss_agg_mode={loss_agg_mode!r} is unknown: use one of {list(LOSS_AGG_MODES)}")
    is_response = response_mask != 0
    is_target = is_response
    if self_distillation_mask is not None:
        is_target = is_response & (self_distillation_mask != 0)[:, None]
    tokens = distill_tokens(
        student_logits[is_target],  # (num_tokens, vocab)
        teacher_logits[is_target],
        responses[is_target],
        distillation_mode=distillation_mode,
        topk=topk,
        add_tail=add_tail,
        alpha=alpha,
        support=support,
        advantage_clip=advantage_clip,
        sequence_ids=is_target.nonzero()[:, 0],  # the row of each token
    )
    weights, ratio = importance_weights(
        tokens.log_probs,
        None if old_log_probs is None else old_log_probs[is_target],
        is_clip=is_clip,
        rollout_is_weights=None if rollout_is_weights is None else rollout_is_weights[is_target],
    )
    weighted = tokens.loss * weights
    token_loss = weighted.new_zeros(is_target.shape).masked_scatter(is_target, weighted)
    loss = aggregate_loss(token_loss, is_target, loss_agg_mode)
    metrics = distillation_metrics(tokens, weights, ratio, is_clip=is_clip)
    num_response_tokens = max(int(is_response.sum()), 1)
    metrics["self_distillation/target_token_fraction"] = int(is_target.sum()) / num_response_tokens
    return loss, metrics


def distillation_metrics(
    tokens: TokenDistillation, weights: torch.Tensor, ratio: torch.Tensor, *, is_clip: float | None
) -> dict[str, float]:
    """What to log about distilled tokens, as plain floats; all are 0.0 where there are no tokens.

    The `_mean` and `_fraction` values are means over tokens: combine micro-batches or ranks weighted by
    `self_distillation/num_target_tokens`, and the `_max` values by the maximum. Entropies and divergences are in nats.

    Args:
        tokens: of `distill_tokens`.
        weights: `(num_tokens,)`, of `importance_weights`.
        ratio: `(num_tokens,)`, of `importance_weights`.
        is_clip: the bound that the weights were made with.
    """
    is_clipped = torch.zeros_like(ratio) if is_clip is None else (ratio > is_clip).to(ratio.dtype)
    means = {
        "divergence_mean": tokens.divergence,
        "sampled_log_ratio_mean": tokens.log_probs - tokens.teacher_log_probs,
        "student_entropy_mean": tokens.student_entropy,
        "teacher_entropy_mean": tokens.teacher_entropy,
        "student_support_mass_mean": tokens.student_support_mass,
        "teacher_support_mass_mean": tokens.teacher_support_mass,
        "importance_ratio_mean": ratio,
        "importance_weight_mean": weights,
        "importance_clip_fraction": is_clipped,
    }
    maxima = {"importance_ratio_max": ratio, "importance_weight_max": weights}
    num_tokens = tokens.loss.shape[0]
    numbers = [0.0] * (len(means) + len(maxima))
    if num_tokens > 0:
        reduced = [value.detach().mean() for value in means.values()] + [value.max() for value in maxima.values()]
        numbers = torch.stack(reduced).tolist()  # one wait for the device, not one a number
    metrics = {f"self_distillation/{name}": number for name, number in zip([*means, *maxima], numbers, strict=True)}
    metrics["self_distillation/num_target_tokens"] = float(num_tokens)
    return metrics


def _check_batch(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, responses: torch.Tensor, response_mask: torch.Tensor
) -> None:
    if student_logits.dim() != 3 or student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"student_logits {tuple(student_logits.shape)} and teacher_logits {tuple(teacher_logits.shape)} "
            "must both be (batch, response_len, vocab): align both to the same responses"
        )
    expected = tuple(student_logits.shape[:2])
    for name, value in (("responses", responses), ("response_mask", response_mask)):
        _check_shape(name, value, expected)


def _check_optional(
    response_mask: torch.Tensor,
    old_log_probs: torch.Tensor | None,
    rollout_is_weights: torch.Tensor | None,
    self_distillation_mask: torch.Tensor | None,
) -> None:
    expected = tuple(response_mask.shape)
    _check_shape("old_log_probs", old_log_probs, expected)
    _check_shape("rollout_is_weights", rollout_is_weights, expected)
    _check_shape("self_distillation_mask", self_distillation_mask, expected[:1])


def _check_shape(name: str, value: torch.Tensor | None, expected: tuple[int, ...]) -> None:
    if value is not None and tuple(value.shape) != expected:
        raise ValueError(f"{name} has shape {tuple(value.shape)}, expected {expected}: match student_logits")
