# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Advantages of the sampled tokens, and the hybrid with those of the group."""

import math

import pytest
import torch

from verl_sdpo.algorithm.advantages import hybrid_advantages, self_distillation_advantages
from verl_sdpo.algorithm.token_loss import distill_tokens

STUDENT = torch.tensor([[-1.0, -2.0, -0.5], [-3.0, -0.1, -9.0]], dtype=torch.float64)
TEACHER = torch.tensor([[-0.5, -8.0, -0.5], [-0.2, -0.4, -1.0]], dtype=torch.float64)
MASK = torch.tensor([[1, 1, 0], [1, 0, 1]])
GROUP = torch.tensor([[0.5, 0.5, 0.0], [-0.25, 0.0, -0.25]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        (None, [[0.5, -6.0, 0.0], [2.8, 0.0, 8.0]]),
        (5.0, [[0.5, -5.0, 0.0], [2.8, 0.0, 5.0]]),
        (0.25, [[0.25, -0.25, 0.0], [0.25, 0.0, 0.25]]),
    ],
)
def test_an_advantage_is_teacher_minus_student_within_the_bound(clip, expected):
    advantages = self_distillation_advantages(STUDENT, TEACHER, MASK, clip=clip)
    torch.testing.assert_close(advantages, torch.tensor(expected, dtype=torch.float64), rtol=1e-14, atol=1e-14)


def test_the_policy_gradient_with_these_advantages_is_that_of_the_sampled_token_loss():
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 4, 7, generator=generator, dtype=torch.float64)
    token_ids = torch.randint(0, 7, (4,), generator=generator)
    student.requires_grad_()
    tokens = distill_tokens(
        student, teacher, token_ids, distillation_mode="sampled_token", alpha=1.0, advantage_clip=0.5
    )
    advantages = self_distillation_advantages(
        tokens.log_probs[None], tokens.teacher_log_probs[None], torch.ones(1, 4), clip=0.5
    )
    (expected,) = torch.autograd.grad(tokens.loss.sum(), student, retain_graph=True)
    (gradient,) = torch.autograd.grad(-(advantages[0] * tokens.log_probs).sum(), student)
    torch.testing.assert_close(gradient, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("clip", [None, 5.0])
@pytest.mark.parametrize("filler", [math.nan, math.inf, -math.inf])
def test_what_does_not_count_is_zero_whatever_it_holds(clip, filler):
    expected = self_distillation_advantages(STUDENT, TEACHER, MASK, clip=clip)
    student, teacher = (torch.where(MASK == 0, filler, x) for x in (STUDENT, TEACHER))
    found = self_distillation_advantages(student, teacher, MASK, clip=clip)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.bfloat16])
def test_the_mask_may_have_any_dtype(dtype):
    expected = self_distillation_advantages(STUDENT, TEACHER, MASK)
    torch.testing.assert_close(self_distillation_advantages(STUDENT, TEACHER, MASK.to(dtype)), expected)


def test_tokens_that_a_model_excludes_have_a_finite_advantage():
    none, some = torch.full((1, 1), -math.inf), torch.full((1, 1), -1.0)
    ones = torch.ones(1, 1)
    assert self_distillation_advantages(none, some, ones).item() == 99.0
    assert self_distillation_advantages(some, none, ones).item() == -99.0
    assert self_distillation_advantages(none, none, ones).item() == 0.0


def test_advantages_are_detached_and_at_least_float32():
    student = STUDENT.bfloat16().requires_grad_()
    advantages = self_distillation_advantages(student, TEACHER.bfloat16().requires_grad_(), MASK)
    assert not advantages.requires_grad
    assert advantages.dtype == torch.float32
    hybrid = hybrid_advantages(student, TEACHER.bfloat16().requires_grad_(), 0.5)
    assert not hybrid.requires_grad
    assert hybrid.dtype == torch.float32


@pytest.mark.parametrize("group_weight", [0.1, 0.5, 0.9])
def test_the_hybrid_is_equation_3(group_weight):
    distilled = self_distillation_advantages(STUDENT, TEACHER, MASK)
    hybrid = hybrid_advantages(GROUP, distilled, group_weight)
    for row in range(2):
        for column in range(3):
            a_grpo, a_sdpo = GROUP[row, column].item(), distilled[row, column].item()
            expected = group_weight * a_grpo + (1 - group_weight) * a_sdpo
            assert hybrid[row, column].item() == pytest.approx(expected, rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("filler", [1.0, math.nan, math.inf])
def test_either_end_is_the_pure_method(filler):
    other = torch.full_like(GROUP, filler)
    torch.testing.assert_close(hybrid_advantages(GROUP, other, 1.0), GROUP, rtol=0, atol=0)
    torch.testing.assert_close(hybrid_advantages(other, TEACHER, 0.0), TEACHER, rtol=0, atol=0)


def test_the_hybrid_is_a_tensor_of_its_own():
    hybrid_advantages(group := GROUP.clone(), TEACHER, 1.0).zero_()
    assert torch.equal(group, GROUP)


@pytest.mark.parametrize("group_weight", [-0.1, 1.1, math.nan])
def test_a_weight_outside_its_range_is_refused(group_weight):
    with pytest.raises(ValueError, match=f"group_weight={group_weight} is outside"):
        hybrid_advantages(GROUP, TEACHER, group_weight)


@pytest.mark.parametrize("clip", [0.0, -5.0, math.nan])
def test_a_bound_that_is_not_above_zero_is_refused(clip):
    with pytest.raises(ValueError, match=f"clip={clip} must be above 0"):
        self_distillation_advantages(STUDENT, TEACHER, MASK, clip=clip)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"mask \(2,\) differ in shape"):
        self_distillation_advantages(STUDENT, TEACHER, MASK[:, 0])
    with pytest.raises(ValueError, match=r"teacher_log_probs \(1, 3\)"):
        self_distillation_advantages(STUDENT, TEACHER[:1], MASK)
    with pytest.raises(ValueError, match=r"distillation_advantages \(2, 2\)"):
        hybrid_advantages(GROUP, TEACHER[:, :2], 0.5)
