# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Properties that hold for every pair of distributions; bounds are derived where they are used."""

import math
from unittest import mock

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verl_sdpo.algorithm import token_loss
from verl_sdpo.algorithm.divergence import LOG_PROB_FLOOR, clipped_reverse_kl, generalized_jsd
from verl_sdpo.algorithm.token_loss import SUPPORTS, distill_tokens

QUICK = settings(max_examples=50, deadline=None)
ROUNDING = 1e-12
ANY_ALPHA = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.001, 0.999))
LOGIT = st.floats(-8, 8)
LOGIT_OR_EXCLUDED = st.one_of(LOGIT, st.just(-math.inf))


@st.composite
def pairs(draw, logit=LOGIT, max_size=7):
    """Student's and teacher's logits `(1, vocab)`, each with a finite entry."""
    vocab = draw(st.integers(2, max_size))
    rows = []
    for _ in range(2):
        row = draw(st.lists(logit, min_size=vocab, max_size=vocab))
        row[draw(st.integers(0, vocab - 1))] = draw(LOGIT)
        rows.append(torch.tensor([row], dtype=torch.float64))
    return tuple(rows)


def _divergence(student, teacher, alpha):
    return generalized_jsd(student.log_softmax(-1), teacher.log_softmax(-1), alpha).item()


def _largest_log_ratio(student, teacher):
    return (student.log_softmax(-1) - teacher.log_softmax(-1)).abs().max().item()


@given(pair=pairs(), alpha=ANY_ALPHA)
@QUICK
def test_a_divergence_is_never_negative(pair, alpha):
    assert _divergence(*pair, alpha) >= -ROUNDING


@given(pair=pairs(), alpha=ANY_ALPHA)
@QUICK
def test_a_divergence_is_zero_only_at_equality(pair, alpha):
    student, teacher = pair
    assert abs(_divergence(student, student, alpha)) <= ROUNDING
    # Pinsker: KL >= distance^2 / 2, with distance the sum of absolute differences. Of the mixture M, S is
    # alpha * distance away and T (1 - alpha) * distance, so the value is at least alpha (1 - alpha) distance^2 / 2.
    distance = (student.softmax(-1) - teacher.softmax(-1)).abs().sum().item()
    scale = 1.0 if alpha in (0.0, 1.0) else alpha * (1 - alpha)
    assert _divergence(student, teacher, alpha) >= scale * distance**2 / 2 - ROUNDING


@given(pair=pairs(LOGIT_OR_EXCLUDED), alpha=ANY_ALPHA, dtype=st.sampled_from([torch.float64, torch.float32]))
@QUICK
def test_a_divergence_and_its_gradient_are_finite_where_ids_are_excluded(pair, alpha, dtype):
    student, teacher = (logits.to(dtype) for logits in pair)
    student.requires_grad_()
    value = generalized_jsd(student.log_softmax(-1), teacher.log_softmax(-1), alpha)
    (gradient,) = torch.autograd.grad(value.sum(), student)
    assert -1e-6 <= value.item() <= -LOG_PROB_FLOOR + 1e-3
    assert gradient.isfinite().all()


@given(pair=pairs(), alpha=st.floats(0.01, 0.99), step=st.floats(0.0, 0.5))
@QUICK
def test_inside_its_range_alpha_moves_the_divergence_continuously(pair, alpha, step):
    # The derivative by alpha is KL(T || M) - KL(S || M), and these are within [0, -log alpha] and [0, -log(1 - alpha)].
    other = min(alpha + step, 0.99)
    slope = max(-math.log(alpha), -math.log(1 - other))
    change = abs(_divergence(*pair, alpha) - _divergence(*pair, other))
    assert change <= slope * (other - alpha) + ROUNDING


@given(pair=pairs(), alpha=ANY_ALPHA, step=st.floats(0.0, 0.1), signs=st.lists(st.sampled_from([-1, 1]), min_size=7))
@QUICK
def test_logits_move_the_divergence_continuously(pair, alpha, step, signs):
    # By the student's logits the gradient is S - T, or s_i (r_i - mean r) with |r_i| at most the largest |log S/T|:
    # the sum of its absolute values is at most 2 max(1, largest). Logits that move by a step move a log-ratio by two.
    student, teacher = pair
    moved = student + step * torch.tensor(signs[: student.shape[-1]])
    slope = 2 * max(1.0, _largest_log_ratio(student, teacher) + 2 * step)
    change = _divergence(moved, teacher, alpha) - _divergence(student, teacher, alpha)
    assert abs(change) <= slope * step + ROUNDING
    change = _divergence(teacher, moved, alpha) - _divergence(teacher, student, alpha)
    assert abs(change) <= slope * step + ROUNDING


@given(pair=pairs(), clip=st.floats(1e-3, 20))
@QUICK
def test_a_bounded_reverse_kl_is_within_its_bound_and_free_of_it_where_nothing_reaches_it(pair, clip):
    value = clipped_reverse_kl(*(logits.log_softmax(-1) for logits in pair), clip).item()
    assert abs(value) <= clip + ROUNDING
    if _largest_log_ratio(*pair) < clip:
        assert abs(value - _divergence(*pair, 1.0)) <= ROUNDING


@given(
    pair=pairs(LOGIT_OR_EXCLUDED),
    topk=st.integers(1, 8),
    support=st.sampled_from(SUPPORTS),
    add_tail=st.booleans(),
    alpha=ANY_ALPHA,
)
@QUICK
def test_buckets_have_probabilities_that_sum_to_one(pair, topk, support, add_tail, alpha):
    # The tail's floor adds at most 1e-7.
    with mock.patch.object(token_loss, "generalized_jsd", wraps=generalized_jsd) as compared:
        distill_tokens(*pair, torch.zeros(1).long(), topk=topk, support=support, add_tail=add_tail, alpha=alpha)
    student, teacher, _ = compared.call_args.args
    for log_probs in (student, teacher):
        assert abs(log_probs.exp().sum().item() - 1) <= 1.001e-7
    assert student.shape[-1] > int(add_tail)


@given(pair=pairs(max_size=6), topk=st.integers(1, 6), support=st.sampled_from(SUPPORTS), alpha=ANY_ALPHA)
@QUICK
def test_merging_ids_into_a_tail_never_adds_divergence(pair, topk, support, alpha):
    # Data processing inequality; the tail's floor of 1e-7 allows for no more than its own size times a log-ratio.
    token_ids = torch.zeros(1).long()
    full = distill_tokens(*pair, token_ids, distillation_mode="full_logits", alpha=alpha).loss.item()
    merged = distill_tokens(*pair, token_ids, topk=topk, support=support, alpha=alpha).loss.item()
    assert -1e-6 <= merged <= full + 1e-5
