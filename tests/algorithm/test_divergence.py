# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The divergence against its definition, written here with probabilities in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verl_sdpo.algorithm.divergence import LOG_PROB_FLOOR, generalized_jsd

ALPHAS = [0.0, 0.001, 0.3, 0.5, 0.9, 1.0]


def _log_probs(*shape, seed=0, scale=2.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(*shape, generator=generator, dtype=torch.float64)).log_softmax(-1).to(dtype)


def _kl(p, q):
    return (p * (p / q).log()).sum(-1)


def _definition(student, teacher, alpha):
    if alpha == 0.0:
        return _kl(teacher, student)
    if alpha == 1.0:
        return _kl(student, teacher)
    mixture = (1 - alpha) * student + alpha * teacher
    return (1 - alpha) * _kl(student, mixture) + alpha * _kl(teacher, mixture)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("num_buckets", [1, 2, 7, 101])
def test_value_is_the_definition(alpha, num_buckets):
    student, teacher = _log_probs(5, num_buckets), _log_probs(5, num_buckets, seed=1)
    expected = _definition(student.exp(), teacher.exp(), alpha)
    torch.testing.assert_close(generalized_jsd(student, teacher, alpha), expected, rtol=1e-11, atol=1e-14)


def test_alpha_weighs_the_teacher_in_the_mixture():
    # By hand, for S = (1/4, 3/4), T = (3/4, 1/4), alpha = 0.3: M = (0.4, 0.6).
    student, teacher = torch.tensor([0.25, 0.75]).double().log(), torch.tensor([0.75, 0.25]).double().log()
    to_mixture_s = 0.25 * math.log(0.25 / 0.4) + 0.75 * math.log(0.75 / 0.6)
    to_mixture_t = 0.75 * math.log(0.75 / 0.4) + 0.25 * math.log(0.25 / 0.6)
    expected = 0.7 * to_mixture_s + 0.3 * to_mixture_t
    assert generalized_jsd(student, teacher, 0.3).item() == pytest.approx(expected, abs=1e-14)
    # The two-point distributions mirror each other, so the opposite convention would differ only through alpha.
    assert generalized_jsd(student, teacher, 0.7).item() == pytest.approx(expected, abs=1e-14)
    skewed = torch.tensor([0.05, 0.95]).double().log()
    assert abs(generalized_jsd(student, skewed, 0.3) - generalized_jsd(student, skewed, 0.7)) > 1e-3


@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradient_is_that_of_finite_differences(alpha):
    student = _log_probs(3, 6).requires_grad_()
    teacher = _log_probs(3, 6, seed=1)
    assert torch.autograd.gradcheck(lambda x: generalized_jsd(x, teacher, alpha), (student,))


@given(
    seed=st.integers(0, 10_000),
    alpha=st.floats(1e-6, 1 - 1e-6),
    scale=st.floats(0.0, 30.0),
    distance=st.sampled_from([0.0, 1e-6, 1e-4, 1e-2, 1.0]),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
)
@settings(max_examples=200, deadline=None)
def test_jensen_shannon_is_never_negative_nor_above_its_bound(seed, alpha, scale, distance, dtype):
    student = _log_probs(4, 33, seed=seed, scale=scale)
    teacher = (student + distance * _log_probs(4, 33, seed=seed + 1)).log_softmax(-1)
    value = generalized_jsd(student.to(dtype), teacher.to(dtype), alpha)
    entropy_of_alpha = -alpha * math.log(alpha) - (1 - alpha) * math.log1p(-alpha)
    assert (value >= 0).all()
    # bfloat16 log-probabilities no longer sum to one: each may be off by 2^-9 of its size.
    assert (value <= entropy_of_alpha * (1.2 if dtype == torch.bfloat16 else 1 + 1e-5) + 1e-6).all()


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-15), (torch.float32, 2e-7)])
def test_zero_at_equality_with_zero_gradient(alpha, dtype, tolerance):
    logits = _log_probs(4, 50, dtype=dtype).requires_grad_()
    value = generalized_jsd(logits.log_softmax(-1), logits.detach().log_softmax(-1), alpha)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert value.abs().max() <= tolerance
    assert gradient.abs().max() <= tolerance


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_close_models_keep_their_digits_in_float32(alpha):
    student = _log_probs(64, 100, scale=3.0, dtype=torch.float32)
    teacher = (student.double() + 0.01 * _log_probs(64, 100, seed=1)).log_softmax(-1)
    expected = _definition(student.double().exp(), teacher.exp(), alpha).mean()
    value = generalized_jsd(student, teacher.float(), alpha).mean()
    assert value.item() == pytest.approx(expected.item(), rel=0.02, abs=1e-7)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_low_precision_inputs_are_computed_in_float32(alpha):
    student, teacher = _log_probs(8, 40), _log_probs(8, 40, seed=1)
    value = generalized_jsd(student.bfloat16(), teacher.bfloat16(), alpha)
    expected = generalized_jsd(student.bfloat16().double(), teacher.bfloat16().double(), alpha)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("excluded_by", ["student", "teacher", "both"])
@pytest.mark.parametrize("filler", [-math.inf, torch.finfo(torch.float32).min])
def test_finite_where_a_model_excludes_an_id(alpha, excluded_by, filler):
    generator = torch.Generator().manual_seed(0)
    logits, teacher = torch.randn(2, 3, 8, generator=generator)
    if excluded_by in ("student", "both"):
        logits[:, 2:4] = filler
    if excluded_by in ("teacher", "both"):
        teacher[:, 2:4] = filler
    logits.requires_grad_()
    value = generalized_jsd(logits.log_softmax(-1), teacher.log_softmax(-1), alpha)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    assert (value <= -LOG_PROB_FLOOR).all()


@pytest.mark.parametrize("alpha", ALPHAS)
def test_ids_that_both_exclude_change_nothing(alpha):
    student, teacher = _log_probs(3, 8), _log_probs(3, 8, seed=1)
    padding = torch.full((3, 5), -math.inf, dtype=torch.float64)
    padded = generalized_jsd(torch.cat([student, padding], -1), torch.cat([teacher, padding], -1), alpha)
    torch.testing.assert_close(padded, generalized_jsd(student, teacher, alpha), rtol=0, atol=1e-15)


def test_disjoint_supports_reach_the_bound():
    student = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).log().log_softmax(-1)
    value = generalized_jsd(student, student.flip(-1), 0.5)
    assert value.item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_alpha_outside_its_range_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha="):
        generalized_jsd(_log_probs(2, 3), _log_probs(2, 3), alpha)


def test_different_buckets_are_refused():
    with pytest.raises(ValueError, match="same buckets"):
        generalized_jsd(_log_probs(2, 3), _log_probs(2, 4), 0.5)
