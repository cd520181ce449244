# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Self-distillation as advantages of the sampled tokens, for a policy-gradient loss (paper Prop. 2.1 and Eq. 3)."""

import torch

from .divergence import LOG_PROB_FLOOR, compute_dtype


def self_distillation_advantages(
    student_log_probs: torch.Tensor,
    teacher_log_probs: torch.Tensor,
    mask: torch.Tensor,
    *,
    clip: float | None = None,
) -> torch.Tensor:
    """Advantage `log q - log p` of each sampled token: positive where the teacher finds it likelier than the student.

    Args:
        student_log_probs: `(batch, response_len)`, floating: log p of the sampled tokens.
        teacher_log_probs: same shape: log q of the same tokens in the teacher's context.
        mask: same shape, any dtype, nonzero where a token counts and its sample has a target.
        clip: bound of the absolute advantage, above 0, or None.

    Returns:
        `(batch, response_len)`, detached, at least float32; zero where `mask` is, whatever the inputs hold there.
        Finite for log-probabilities of -inf, which count as -100.

    Raises:
        ValueError: `clip` is not above 0, or shapes differ.
    """
    if clip is not None and not clip > 0.0:
        raise ValueError(f"clip={clip!r} must be above 0, or None to leave advantages unbounded")
    _check_same_shape(student_log_probs=student_log_probs, teacher_log_probs=teacher_log_probs, mask=mask)
    dtype = compute_dtype(student_log_probs, teacher_log_probs)
    log_p, log_q = (x.detach().to(dtype).clamp(min=LOG_PROB_FLOOR) for x in (student_log_probs, teacher_log_probs))
    advantages = log_q - log_p
    if clip is not None:
        advantages = advantages.clamp(-clip, clip)
    return torch.where(mask != 0, advantages, 0.0)


def hybrid_advantages(
    group_advantages: torch.Tensor, distillation_advantages: torch.Tensor, group_weight: float
) -> torch.Tensor:
    """The hybrid of the paper's Eq. 3: `group_weight * A_GRPO + (1 - group_weight) * A_SDPO`; 0.9 in the paper.

    A part of weight zero is not read: both ends are the pure method, whatever the other part holds.

    Args:
        group_advantages: `(batch, response_len)`, floating: GRPO's.
        distillation_advantages: same shape: of `self_distillation_advantages`. Zero for samples without a target, which
            keep GRPO's part at its weight.
        group_weight: in [0, 1].

    Returns:
        `(batch, response_len)`, detached, at least float32.

    Raises:
        ValueError: `group_weight` outside [0, 1], or shapes differ.
    """
    if not 0.0 <= group_weight <= 1.0:
        raise ValueError(
            f"group_weight={group_weight!r} is outside [0, 1]: use 1.0 for GRPO alone, 0.0 for self-distillation alone"
        )
    _check_same_shape(group_advantages=group_advantages, distillation_advantages=distillation_advantages)
    dtype = compute_dtype(group_advantages, distillation_advantages)
    parts = ((group_advantages, group_weight), (distillation_advantages, 1.0 - group_weight))
    hybrid = torch.zeros_like(group_advantages, dtype=dtype)
    for advantages, weight in parts:
        if weight > 0.0:
            hybrid = hybrid + weight * advantages.detach().to(dtype)
    return hybrid


def _check_same_shape(**tensors: torch.Tensor) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1:
        named = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{named} differ in shape: all must be (batch, response_len)")
