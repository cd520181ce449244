# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Token losses against bucketed distributions built here from float64 probabilities."""

import math
from dataclasses import fields

import pytest
import torch

from verl_sdpo.algorithm.token_loss import distill_tokens

MODES = [
    {"distillation_mode": "full_logits", "alpha": 0.3},
    {"distillation_mode": "topk_logits", "topk": 4, "add_tail": True, "alpha": 0.0},
    {"distillation_mode": "topk_logits", "topk": 4, "add_tail": True, "alpha": 0.5},
    {"distillation_mode": "topk_logits", "topk": 4, "add_tail": False, "alpha": 0.5},
    {"distillation_mode": "topk_logits", "topk": 4, "add_tail": False, "alpha": 1.0},
    {"distillation_mode": "sampled_token", "alpha": 1.0},
]
DIVERGENCES = [mode for mode in MODES if mode["distillation_mode"] != "sampled_token"]


def _inputs(num_tokens=6, vocab=11, seed=0, scale=2.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = scale * torch.randn(2, num_tokens, vocab, generator=generator, dtype=torch.float64)
    token_ids = torch.randint(0, vocab, (num_tokens,), generator=generator)
    return student.to(dtype), teacher.to(dtype), token_ids


def _bucketed_jsd(student_row, teacher_row, topk, add_tail, alpha):
    """One token, in Python floats: the definition of the paper's Eq. 11 and of the convention for alpha."""
    p, q = student_row.softmax(-1).tolist(), teacher_row.softmax(-1).tolist()
    support = sorted(range(len(p)), key=lambda i: -p[i])[:topk]
    others = [i for i in range(len(p)) if i not in support]
    s, t = [p[i] for i in support], [q[i] for i in support]
    if add_tail and others:
        s, t = [*s, sum(p[i] for i in others)], [*t, sum(q[i] for i in others)]
    if not add_tail:
        s, t = [x / sum(s) for x in s], [x / sum(t) for x in t]
    total = 0.0
    for a, b in zip(s, t, strict=True):
        if alpha in (0.0, 1.0):
            total += b * math.log(b / a) if alpha == 0.0 else a * math.log(a / b)
        else:
            m = (1 - alpha) * a + alpha * b
            total += (1 - alpha) * a * math.log(a / m) + alpha * b * math.log(b / m)
    return total


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("add_tail", [True, False])
@pytest.mark.parametrize("topk", [1, 3, 10, 11, 500])
def test_topk_loss_is_the_divergence_of_the_buckets(alpha, add_tail, topk):
    student, teacher, token_ids = _inputs()
    tokens = distill_tokens(student, teacher, token_ids, topk=topk, add_tail=add_tail, alpha=alpha)
    expected = [_bucketed_jsd(s, t, topk, add_tail, alpha) for s, t in zip(student, teacher, strict=True)]
    torch.testing.assert_close(tokens.loss, torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("add_tail", [True, False])
@pytest.mark.parametrize("topk", [11, 12, 100])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_support_of_the_whole_vocabulary_is_full_logits(alpha, add_tail, topk, dtype):
    student, teacher, token_ids = _inputs(dtype=dtype)
    student.requires_grad_()
    losses, gradients = [], []
    for mode in ({"distillation_mode": "full_logits"}, {"topk": topk, "add_tail": add_tail}):
        loss = distill_tokens(student, teacher, token_ids, alpha=alpha, **mode).loss
        losses.append(loss)
        gradients.append(torch.autograd.grad(loss.sum(), student)[0])
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6
    torch.testing.assert_close(losses[0], losses[1], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("mode", DIVERGENCES)
def test_gradient_is_that_of_finite_differences(mode):
    student, teacher, token_ids = _inputs()
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: distill_tokens(x, teacher, token_ids, **mode).loss, (student,))


@pytest.mark.parametrize("mode", MODES)
def test_log_probs_are_differentiable_in_every_mode(mode):
    student, teacher, token_ids = _inputs()
    student.requires_grad_()
    log_probs = distill_tokens(student, teacher, token_ids, **mode).log_probs
    expected = torch.nn.functional.one_hot(token_ids, 11) - student.detach().softmax(-1)
    torch.testing.assert_close(torch.autograd.grad(log_probs.sum(), student)[0], expected)


def test_sampled_token_gradient_is_the_log_ratio_times_the_score():
    student, teacher, token_ids = _inputs()
    student.requires_grad_()
    tokens = distill_tokens(student, teacher, token_ids, distillation_mode="sampled_token", alpha=1.0)
    (gradient,) = torch.autograd.grad(tokens.loss.sum(), student)
    p, q = student.detach().softmax(-1), teacher.softmax(-1)
    one_hot = torch.nn.functional.one_hot(token_ids, 11).double()
    log_ratio = ((p / q).log() * one_hot).sum(-1)
    torch.testing.assert_close(gradient, log_ratio[:, None] * (one_hot - p))
    torch.testing.assert_close(tokens.divergence, log_ratio)


def test_sampled_token_gradient_averages_to_that_of_the_reverse_kl():
    # Over every token, weighted by the student's probability, the estimator is exact.
    student, teacher, _ = _inputs(num_tokens=1, vocab=7)
    student.requires_grad_()
    exact = distill_tokens(student, teacher, torch.zeros(1).long(), distillation_mode="full_logits", alpha=1.0).loss
    (expected,) = torch.autograd.grad(exact.sum(), student)
    every_id = torch.arange(7)
    tokens = distill_tokens(
        student.expand(7, 7), teacher.expand(7, 7), every_id, distillation_mode="sampled_token", alpha=1.0
    )
    weighted = (student.detach().softmax(-1)[0] * tokens.loss).sum()
    torch.testing.assert_close(torch.autograd.grad(weighted, student)[0], expected)


def test_without_tail_no_logit_outside_the_support_gets_a_gradient():
    student, teacher, token_ids = _inputs()
    student.requires_grad_()
    loss = distill_tokens(student, teacher, token_ids, topk=4, add_tail=False).loss
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    outside = torch.ones_like(gradient).scatter(-1, student.topk(4).indices, 0.0).bool()
    assert (gradient[outside] == 0).all()
    assert (gradient[~outside] != 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_teacher_gets_no_gradient(mode):
    student, teacher, token_ids = _inputs()
    student.requires_grad_()
    teacher.requires_grad_()
    tokens = distill_tokens(student, teacher, token_ids, **mode)
    tokens.loss.sum().backward()
    assert student.grad.abs().max() > 0
    assert teacher.grad is None
    attached = {field.name for field in fields(tokens) if getattr(tokens, field.name).requires_grad}
    assert attached == {"loss", "log_probs"}


def test_reported_fields_are_what_they_are_called():
    student, teacher, token_ids = _inputs(num_tokens=1500)  # more rows than one chunk of the entropy
    tokens = distill_tokens(student, teacher, token_ids, topk=4)
    p, q = student.softmax(-1), teacher.softmax(-1)
    support = p.topk(4).indices
    expected = {
        "log_probs": p.log().gather(-1, token_ids[:, None]).squeeze(-1),
        "teacher_log_probs": q.log().gather(-1, token_ids[:, None]).squeeze(-1),
        "student_entropy": -(p * p.log()).sum(-1),
        "teacher_entropy": -(q * q.log()).sum(-1),
        "student_support_mass": p.gather(-1, support).sum(-1),
        "teacher_support_mass": q.gather(-1, support).sum(-1),
        "divergence": tokens.loss,
    }
    for name, value in expected.items():
        torch.testing.assert_close(getattr(tokens, name), value, msg=lambda text, name=name: f"{name}: {text}")


def test_support_mass_is_one_in_full_logits_and_that_of_the_token_in_sampled_token():
    student, teacher, token_ids = _inputs()
    full = distill_tokens(student, teacher, token_ids, distillation_mode="full_logits")
    sampled = distill_tokens(student, teacher, token_ids, distillation_mode="sampled_token", alpha=1.0)
    assert (full.student_support_mass == 1).all()
    assert (full.teacher_support_mass == 1).all()
    torch.testing.assert_close(sampled.student_support_mass, full.log_probs.exp())
    torch.testing.assert_close(sampled.teacher_support_mass, full.teacher_log_probs.exp())


@pytest.mark.parametrize("mode", MODES)
def test_no_tokens_give_empty_fields_that_still_reach_the_logits(mode):
    student = torch.zeros(0, 11, requires_grad=True)
    tokens = distill_tokens(student, torch.zeros(0, 11), torch.zeros(0, dtype=torch.long), **mode)
    tokens.loss.sum().backward()
    assert all(getattr(tokens, field.name).shape == (0,) for field in fields(tokens))
    assert student.grad.shape == (0, 11)


@pytest.mark.parametrize("mode", MODES)
def test_one_token_alone_has_the_loss_it_has_among_others(mode):
    student, teacher, token_ids = _inputs()
    together = distill_tokens(student, teacher, token_ids, **mode).loss
    alone = [
        distill_tokens(student[i : i + 1], teacher[i : i + 1], token_ids[i : i + 1], **mode).loss for i in range(6)
    ]
    torch.testing.assert_close(torch.cat(alone), together)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_logits_are_computed_in_float32(mode, dtype):
    student, teacher, token_ids = _inputs(num_tokens=32, dtype=dtype)
    student.requires_grad_()
    tokens = distill_tokens(student, teacher, token_ids, **mode)
    exact = distill_tokens(student.detach().double(), teacher.double(), token_ids, **mode)
    (gradient,) = torch.autograd.grad(tokens.loss.sum(), student)
    # Equal logits may be ordered differently by top-k: a rare difference in the support, none in most rows.
    unequal = (tokens.loss - exact.loss).abs() > 1e-4
    assert all(getattr(tokens, field.name).dtype == torch.float32 for field in fields(tokens))
    assert unequal.sum() <= 2
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()


@pytest.mark.parametrize("alpha", [0.3, 0.5])
@pytest.mark.parametrize("topk", [3, 100])
def test_jensen_shannon_of_close_bfloat16_models_is_not_negative(alpha, topk):
    student, _, token_ids = _inputs(num_tokens=256, vocab=64, scale=4.0, dtype=torch.bfloat16)
    teacher = (student.float() * 1.002).bfloat16()
    loss = distill_tokens(student, teacher, token_ids, topk=topk, alpha=alpha).loss
    assert (loss >= 0).all()
    assert loss.max() < 1e-2


@pytest.mark.parametrize("mode", [*MODES, {"topk": 9, "alpha": 0.0}, {"topk": 9, "alpha": 1.0, "add_tail": False}])
@pytest.mark.parametrize("excluded_by", ["student", "teacher", "both"])
@pytest.mark.parametrize("filler", [-math.inf, torch.finfo(torch.float32).min])
@pytest.mark.parametrize("num_left", [1, 2, 5])
def test_finite_where_a_model_excludes_ids(mode, excluded_by, filler, num_left):
    student, teacher, _ = _inputs(dtype=torch.float32)
    token_ids = torch.tensor([0, 1, 4, 5, 9, 10])  # excluded ones as well: a rollout engine may differ
    if excluded_by in ("student", "both"):
        student[:, num_left:] = filler
    if excluded_by in ("teacher", "both"):
        teacher[:, num_left:] = filler
    student.requires_grad_()
    tokens = distill_tokens(student, teacher, token_ids, **mode)
    (gradient,) = torch.autograd.grad(tokens.loss.sum(), student)
    for field in fields(tokens):
        assert getattr(tokens, field.name).isfinite().all(), field.name
    assert gradient.isfinite().all()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_padded_vocabulary_changes_nothing(alpha):
    student, teacher, token_ids = _inputs()
    padding = torch.full((6, 5), -math.inf, dtype=torch.float64)
    padded = [torch.cat([logits, padding], dim=-1) for logits in (student, teacher)]
    for topk in (4, 11, 14):
        plain = distill_tokens(student, teacher, token_ids, topk=topk, alpha=alpha)
        wide = distill_tokens(*padded, token_ids, topk=topk, alpha=alpha)
        torch.testing.assert_close(wide.loss, plain.loss, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tail_mass", [1e-3, 1e-5, 9e-7])
def test_small_tails_keep_their_digits_in_float32(tail_mass):
    # Two ids carry nearly everything, forty share the tail; the teacher's tail is 1 %. Forward KL is the hard case.
    def logits(mass):
        probs = torch.cat([torch.tensor([0.6, 0.4]).double() * (1 - mass), torch.full((40,), mass / 40).double()])
        return probs.log()[None]

    student, teacher = logits(tail_mass).float().requires_grad_(), logits(1e-2).float()
    loss = distill_tokens(student, teacher, torch.zeros(1).long(), topk=2, alpha=0.0).loss
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    expected = 0.01 * math.log(0.01 / tail_mass) + 0.99 * math.log(0.99 / (1 - tail_mass))
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    # The gradient of the forward KL is p - q bucket by bucket: here shared equally among the forty.
    torch.testing.assert_close(gradient[0, 2:], torch.full((40,), (tail_mass - 1e-2) / 40), rtol=1e-4, atol=0)


def test_tail_below_the_published_floor_counts_as_the_floor():
    # Student: tail 1e-9. Teacher: tail 1 %. Without the floor the loss would be 0.15 instead of 0.11.
    def logits(mass):
        return torch.tensor([[0.6 * (1 - mass), 0.4 * (1 - mass), mass]], dtype=torch.float64).log()

    student, teacher = logits(1e-9).requires_grad_(), logits(1e-2)
    loss = distill_tokens(student, teacher, torch.zeros(1).long(), topk=2, alpha=0.0).loss
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    assert loss.item() == pytest.approx(0.01 * math.log(0.01 / 1e-7) + 0.99 * math.log(0.99), rel=1e-6)
    # At the floor the tail no longer pulls: what is left comes from the normaliser, 0.99 of the tail's own 1e-9.
    assert gradient[0, 2].item() == pytest.approx(0.99e-9, rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distillation_mode": "top_k"}, "distillation_mode='top_k' is unknown: use one of"),
        ({"topk": 0}, "topk=0"),
        ({"topk": None}, "topk=None"),
        ({"alpha": 1.5}, "alpha=1.5"),
        ({"alpha": -0.5}, "alpha=-0.5"),
        ({"distillation_mode": "sampled_token", "alpha": 0.5}, "use alpha=1.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        distill_tokens(*_inputs(), **settings)


def test_shapes_that_do_not_fit_are_refused():
    student, teacher, token_ids = _inputs()
    with pytest.raises(ValueError, match="teacher_logits"):
        distill_tokens(student, teacher[:, :-1], token_ids)
    with pytest.raises(ValueError, match="token_ids"):
        distill_tokens(student, teacher, token_ids[:-1])
    with pytest.raises(ValueError, match="num_tokens, vocab"):
        distill_tokens(student[None], teacher[None], token_ids[None])
