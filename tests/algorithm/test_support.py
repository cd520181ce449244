# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Losses over distributions, on every support: value and gradient are those of the definition, written as loops."""

import math
from dataclasses import fields

import pytest
import torch

from verl_sdpo.algorithm import self_distillation_loss
from verl_sdpo.algorithm.token_loss import SUPPORTS, distill_tokens

ALPHAS = [0.0, 0.3, 0.5, 1.0]
VOCAB = 9
EVERY_ID = "every id"


def _inputs(num_tokens=5, vocab=VOCAB, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    student, teacher = 2 * torch.randn(2, num_tokens, vocab, generator=generator, dtype=torch.float64)
    token_ids = torch.randint(0, vocab, (num_tokens,), generator=generator)
    return student.to(dtype), teacher.to(dtype), token_ids


def _opposed(num_tokens=4, vocab=8):
    """The half of the ids that the student prefers is the half that the teacher does not."""
    student, _, token_ids = _inputs(num_tokens, vocab)
    return student, -student, token_ids


def _support(student_row, teacher_row, support, topk):
    def best(row):
        return sorted(range(len(row)), key=lambda i: -row[i].item())[:topk]

    chosen = {"student": best(student_row), "teacher": best(teacher_row), EVERY_ID: range(len(student_row))}
    chosen["union"] = [*chosen["student"], *chosen["teacher"]]
    return sorted(set(chosen[support]))


def _definition(student, teacher, support, topk, add_tail, alpha):
    """Sum over tokens, from probabilities of buckets one by one."""
    total = 0.0
    for student_row, teacher_row in zip(student, teacher, strict=True):
        p, q = student_row.exp() / student_row.exp().sum(), teacher_row.exp() / teacher_row.exp().sum()
        ids = _support(student_row, teacher_row, support, topk)
        others = [i for i in range(len(p)) if i not in ids]
        buckets = [(p[i], q[i]) for i in ids]
        if add_tail and others:
            buckets.append((sum(p[i] for i in others), sum(q[i] for i in others)))
        mass_p, mass_q = (sum(masses) for masses in zip(*buckets, strict=True))
        for a, b in ((a / mass_p, b / mass_q) for a, b in buckets):
            m = (1 - alpha) * a + alpha * b
            if alpha == 0.0:
                total = total + b * (b / a).log()
            elif alpha == 1.0:
                total = total + a * (a / b).log()
            else:
                total = total + (1 - alpha) * a * (a / m).log() + alpha * b * (b / m).log()
    return total


def _with_gradient(function, student):
    student = student.clone().requires_grad_()
    value = function(student)
    return value.detach(), torch.autograd.grad(value, student)[0]


def _distilled(inputs, **settings):
    student, teacher, token_ids = inputs
    return _with_gradient(lambda x: distill_tokens(x, teacher, token_ids, **settings).loss.sum(), student)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_full_logits_have_loss_and_gradient_of_the_definition(alpha):
    inputs = _inputs()
    expected = _with_gradient(lambda x: _definition(x, inputs[1], EVERY_ID, None, False, alpha), inputs[0])
    found = _distilled(inputs, distillation_mode="full_logits", alpha=alpha)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("add_tail", [True, False])
@pytest.mark.parametrize("topk", [1, 3, 8])
@pytest.mark.parametrize("support", SUPPORTS)
def test_topk_has_loss_and_gradient_of_the_definition(support, topk, add_tail, alpha):
    inputs = _inputs()
    expected = _with_gradient(lambda x: _definition(x, inputs[1], support, topk, add_tail, alpha), inputs[0])
    found = _distilled(inputs, support=support, topk=topk, add_tail=add_tail, alpha=alpha)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)


def test_the_three_supports_differ():
    losses = [_distilled(_inputs(), support=support, topk=3)[0].item() for support in SUPPORTS]
    assert len({round(loss, 6) for loss in losses}) == 3


@pytest.mark.parametrize("add_tail", [True, False])
def test_the_default_is_the_students_support(add_tail):
    settings = {"topk": 3, "add_tail": add_tail}
    by_default = _distilled(_inputs(), **settings)
    torch.testing.assert_close(by_default, _distilled(_inputs(), support="student", **settings), rtol=0, atol=0)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("add_tail", [True, False])
@pytest.mark.parametrize(("inputs", "topk"), [(_opposed(), 4), (_inputs(), 9), (_inputs(), 100)])
def test_a_union_of_every_id_is_the_full_vocabulary(inputs, topk, add_tail, alpha):
    full = _distilled(inputs, distillation_mode="full_logits", alpha=alpha)
    union = _distilled(inputs, support="union", topk=topk, add_tail=add_tail, alpha=alpha)
    torch.testing.assert_close(union, full, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("add_tail", [True, False])
def test_ids_that_both_models_chose_are_counted_once(add_tail, alpha):
    # The teacher orders the ids as the student does, so each of the three is chosen twice.
    student, _, token_ids = _inputs()
    inputs = (student, 0.3 * student, token_ids)
    settings = {"topk": 3, "add_tail": add_tail, "alpha": alpha}
    once, twice = (_distilled(inputs, support=support, **settings) for support in ("student", "union"))
    torch.testing.assert_close(twice, once, rtol=1e-12, atol=1e-13)
    once, twice = (distill_tokens(*inputs, support=support, **settings) for support in ("student", "union"))
    torch.testing.assert_close(twice.student_support_mass, once.student_support_mass)
    torch.testing.assert_close(twice.teacher_support_mass, once.teacher_support_mass)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("add_tail", [True, False])
def test_a_union_is_symmetric_under_exchange_of_the_models(add_tail, alpha):
    student, teacher, token_ids = _inputs()

    def exchanged(support):
        there = distill_tokens(student, teacher, token_ids, support=support, topk=3, add_tail=add_tail, alpha=alpha)
        back = distill_tokens(teacher, student, token_ids, support=support, topk=3, add_tail=add_tail, alpha=1 - alpha)
        return there.loss, back.loss

    torch.testing.assert_close(*exchanged("union"), rtol=1e-12, atol=1e-14)
    assert (torch.sub(*exchanged("student")).abs() > 1e-3).any()


@pytest.mark.parametrize("support", SUPPORTS)
def test_support_mass_is_that_of_the_chosen_ids(support):
    student, teacher, token_ids = _inputs()
    tokens = distill_tokens(student, teacher, token_ids, support=support, topk=2)
    for row in range(len(student)):
        ids = _support(student[row], teacher[row], support, 2)
        mass_p, mass_q = student[row].softmax(-1)[ids].sum(), teacher[row].softmax(-1)[ids].sum()
        assert tokens.student_support_mass[row].item() == pytest.approx(mass_p.item(), rel=1e-12)
        assert tokens.teacher_support_mass[row].item() == pytest.approx(mass_q.item(), rel=1e-12)


@pytest.mark.parametrize("support", ["teacher", "union"])
def test_without_tail_no_logit_outside_the_support_gets_a_gradient(support):
    inputs = _inputs()
    _, gradient = _distilled(inputs, support=support, topk=3, add_tail=False)
    for row in range(len(gradient)):
        ids = _support(inputs[0][row], inputs[1][row], support, 3)
        assert [i for i in range(VOCAB) if gradient[row, i] != 0] == ids


@pytest.mark.parametrize("support", SUPPORTS)
def test_the_choice_of_ids_gives_the_teacher_no_gradient(support):
    student, teacher, token_ids = _inputs()
    student.requires_grad_()
    teacher.requires_grad_()
    distill_tokens(student, teacher, token_ids, support=support, topk=3).loss.sum().backward()
    assert student.grad.abs().max() > 0
    assert teacher.grad is None


@pytest.mark.parametrize("support", ["teacher", "union"])
@pytest.mark.parametrize("add_tail", [True, False])
@pytest.mark.parametrize(
    "settings", [{"alpha": 0.0}, {"alpha": 0.5}, {"alpha": 1.0}, {"alpha": 1.0, "advantage_clip": 5.0}]
)
@pytest.mark.parametrize("topk", [1, 3, 9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_where_the_models_exclude_different_ids(support, add_tail, settings, topk, dtype):
    student, teacher, token_ids = _inputs(dtype=dtype)
    student[:, :4] = -math.inf  # at topk=3 all that the teacher can choose
    teacher[:, 4:] = -math.inf
    student.requires_grad_()
    tokens = distill_tokens(student, teacher, token_ids, support=support, topk=topk, add_tail=add_tail, **settings)
    (gradient,) = torch.autograd.grad(tokens.loss.sum(), student)
    assert all(getattr(tokens, field.name).isfinite().all() for field in fields(tokens))
    assert gradient.isfinite().all()


@pytest.mark.parametrize("support", SUPPORTS)
def test_no_tokens_give_no_loss_that_still_reaches_the_logits(support):
    loss, gradient = _distilled(_inputs(num_tokens=0), support=support, topk=3)
    assert loss == 0
    assert gradient.shape == (0, VOCAB)


@pytest.mark.parametrize("support", SUPPORTS)
def test_the_batch_loss_is_on_the_support_it_was_asked_for(support):
    student, teacher, token_ids = _inputs(num_tokens=6)
    expected = distill_tokens(student, teacher, token_ids, support=support, topk=2).loss.mean()
    batched = (student.view(2, 3, -1), teacher.view(2, 3, -1), token_ids.view(2, 3), torch.ones(2, 3))
    loss, _ = self_distillation_loss(*batched, support=support, topk=2, is_clip=None)
    torch.testing.assert_close(loss, expected)


def test_an_unknown_support_is_refused():
    with pytest.raises(ValueError, match="support='both' is unknown: use one of"):
        distill_tokens(*_inputs(), support="both")
