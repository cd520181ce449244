# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The divergence between the student's and the teacher's next-token distributions (paper Eq. 1, section 2.3)."""

import math

import torch

# exp(-100) is zero for every purpose here, yet 100 nats is a finite price: an id that one model excludes
# (-inf, or a padded vocabulary filled with the smallest float) makes the loss large instead of inf or NaN.
LOG_PROB_FLOOR = -100.0


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless `alpha` is a number in [0, 1]."""
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(
            f"alpha={alpha!r} is outside [0, 1]: use 0.0 (forward KL), 1.0 (reverse KL) or between (Jensen-Shannon)"
        )


def generalized_jsd(student_log_probs: torch.Tensor, teacher_log_probs: torch.Tensor, alpha: float) -> torch.Tensor:
    """Generalised Jensen-Shannon divergence, summed over the last dimension.

    With S the student and T the teacher, `alpha` is the teacher's weight:

    * `alpha == 0`: forward KL, KL(T || S);
    * `alpha == 1`: reverse KL, KL(S || T), the paper's Eq. 1;
    * otherwise M = (1 - alpha) S + alpha T and the value is (1 - alpha) KL(S || M) + alpha KL(T || M).

    The ends are not the limits of the middle: towards either end the middle form vanishes like alpha (1 - alpha).

    Args:
        student_log_probs: `(..., num_buckets)`, floating; the last dimension sums to one in probability.
        teacher_log_probs: same shape. Gradients flow into it if it requires them: detach it to stop them.
        alpha: in [0, 1].

    Returns:
        `(...)`, float64 if an input is, else float32. Finite, also where an input is -inf; for `0 < alpha < 1` never
        negative.

    Raises:
        ValueError: `alpha` outside [0, 1], or the shapes differ.
    """
    check_alpha(alpha)
    log_s, log_t = _on_same_buckets(student_log_probs, teacher_log_probs)
    if alpha == 0.0:
        return (log_t.exp() * (log_t - log_s)).sum(-1)
    if alpha == 1.0:
        return (log_s.exp() * (log_s - log_t)).sum(-1)
    return _jensen_shannon(log_s, log_t, alpha)


def clipped_reverse_kl(
    student_log_probs: torch.Tensor, teacher_log_probs: torch.Tensor, advantage_clip: float
) -> torch.Tensor:
    """Policy-gradient form of the reverse KL with bounded advantages (paper section 5, Table 12).

    With p and q the student's and the teacher's probability of a bucket, A = log q - log p its advantage (Prop. 2.1)
    and c the bound, the value is the sum over the buckets of

        stopgrad(clip(-A, -c, c)) * p

    The gradient of the reverse KL, sum -A p, is sum -A dp + sum p dlog p. The second sum is sum dp, zero because
    probabilities sum to one. So where nothing is clipped, value and gradient are those of the reverse KL.

    Args:
        student_log_probs: `(..., num_buckets)`, floating; the last dimension sums to one in probability.
        teacher_log_probs: same shape; gets no gradient.
        advantage_clip: the bound c, above 0.

    Returns:
        `(...)`, float64 if an input is, else float32. Finite, also where an input is -inf; may be negative.

    Raises:
        ValueError: the shapes differ.
    """
    log_s, log_t = _on_same_buckets(student_log_probs, teacher_log_probs)
    return ((log_s - log_t).detach().clamp(-advantage_clip, advantage_clip) * log_s.exp()).sum(-1)


def compute_dtype(*tensors: torch.Tensor) -> torch.dtype:
    """The dtype to compute in: at least float32, because in bfloat16 the divergence of close models is noise."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def _on_same_buckets(
    student_log_probs: torch.Tensor, teacher_log_probs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both in the dtype to compute in and no smaller than the floor."""
    if student_log_probs.shape != teacher_log_probs.shape:
        raise ValueError(
            f"student_log_probs {tuple(student_log_probs.shape)} and teacher_log_probs "
            f"{tuple(teacher_log_probs.shape)} differ in shape: evaluate both on the same buckets"
        )
    dtype = compute_dtype(student_log_probs, teacher_log_probs)
    return student_log_probs.to(dtype).clamp(min=LOG_PROB_FLOOR), teacher_log_probs.to(dtype).clamp(min=LOG_PROB_FLOOR)


def _jensen_shannon(log_s: torch.Tensor, log_t: torch.Tensor, alpha: float) -> torch.Tensor:
    # M is compared with S and with T through their ratio: the rounding error is then that of numbers near zero where
    # the models agree, not that of log-probabilities near -10.
    log_ratio = log_t - log_s
    log_weight_s = torch.full_like(log_ratio, math.log1p(-alpha))
    log_weight_t = torch.full_like(log_ratio, math.log(alpha))
    log_m_over_s = torch.logaddexp(log_weight_s, log_weight_t + log_ratio)
    log_m_over_t = torch.logaddexp(log_weight_s - log_ratio, log_weight_t)
    value = -((1.0 - alpha) * log_s.exp() * log_m_over_s + alpha * log_t.exp() * log_m_over_t).sum(-1)
    # Rounding can leave a value just below zero. Lift it without touching the gradient, which a clamp would cut.
    return value - value.detach().clamp(max=0.0)
