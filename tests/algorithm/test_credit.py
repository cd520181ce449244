# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Policy-gradient forms of the reverse KL: credit to buckets, sampled tokens and sequences, and the bound on it."""

import math

import pytest
import torch

from verl_sdpo.algorithm import self_distillation_loss
from verl_sdpo.algorithm.divergence import clipped_reverse_kl, generalized_jsd
from verl_sdpo.algorithm.token_loss import distill_tokens

DISTRIBUTIONS = [
    {"distillation_mode": "full_logits"},
    {"topk": 1, "add_tail": True},
    {"topk": 3, "add_tail": True},
    {"topk": 3, "add_tail": False},
    {"topk": 3, "add_tail": True, "support": "union"},
]
SAMPLED = ["sampled_token", "sampled_sequence"]
# Of lengths 3, 1, 3 and interleaved; the numbers themselves mean nothing.
SEQUENCE_IDS = torch.tensor([7, -2, 7, 40, 40, 7, 40])
CLIP = 2.0


def _inputs(vocab=8, scale=1.5):
    generator = torch.Generator().manual_seed(5)
    num_tokens = len(SEQUENCE_IDS)
    student, teacher = scale * torch.randn(2, num_tokens, vocab, generator=generator, dtype=torch.float64)
    return student, teacher, torch.randint(0, vocab, (num_tokens,), generator=generator)


def _distilled(inputs, **settings):
    student, teacher, token_ids = inputs
    student = student.clone().requires_grad_()
    tokens = distill_tokens(student, teacher, token_ids, alpha=1.0, **settings)
    return tokens, torch.autograd.grad(tokens.loss.sum(), student)[0]


def _bounded(value, clip):
    return max(-clip, min(clip, value))


def _buckets(student_row, teacher_row, settings):
    """`(p, q)` bucket by bucket."""
    p, q = student_row.exp() / student_row.exp().sum(), teacher_row.exp() / teacher_row.exp().sum()
    if settings.get("distillation_mode") == "full_logits":
        return list(zip(p, q, strict=True))
    rows = [student_row, teacher_row] if settings.get("support") == "union" else [student_row]
    ids = {i for row in rows for i in sorted(range(len(row)), key=lambda i: -row[i].item())[: settings["topk"]]}
    buckets = [(p[i], q[i]) for i in ids]
    if settings["add_tail"]:
        others = [i for i in range(len(p)) if i not in ids]
        return [*buckets, (sum(p[i] for i in others), sum(q[i] for i in others))]
    mass_p, mass_q = (sum(masses) for masses in zip(*buckets, strict=True))
    return [(a / mass_p, b / mass_q) for a, b in buckets]


def _log_ratios(inputs):
    """log p - log q of the sampled tokens, as floats."""
    p, q = inputs[0].softmax(-1), inputs[1].softmax(-1)
    return [math.log(p[t, i] / q[t, i]) for t, i in enumerate(inputs[2].tolist())]


def _scores(inputs):
    """The gradient of the student's log-probability of the sampled token: one-hot minus p."""
    rows = []
    for row, token in zip(inputs[0], inputs[2].tolist(), strict=True):
        p = (row.exp() / row.exp().sum()).tolist()
        rows.append([float(i == token) - p[i] for i in range(len(p))])
    return torch.tensor(rows, dtype=torch.float64)


# Distributions


@pytest.mark.parametrize("settings", DISTRIBUTIONS)
@pytest.mark.parametrize("clip", [0.05, CLIP, 5.0])
def test_the_gradient_is_each_buckets_bounded_advantage_times_that_of_its_probability(settings, clip):
    inputs = _inputs()
    student = inputs[0].clone().requires_grad_()
    total = 0.0
    for student_row, teacher_row in zip(student, inputs[1], strict=True):
        for p, q in _buckets(student_row, teacher_row, settings):
            total = total + _bounded(math.log(p.item() / q.item()), clip) * p
    tokens, gradient = _distilled(inputs, advantage_clip=clip, **settings)
    torch.testing.assert_close(gradient, torch.autograd.grad(total, student)[0], rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(tokens.loss.sum().detach(), total.detach(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("settings", DISTRIBUTIONS)
def test_a_bound_that_nothing_reaches_leaves_loss_and_gradient_of_the_reverse_kl(settings):
    free, gradient = _distilled(_inputs(), **settings)
    bounded, bounded_gradient = _distilled(_inputs(), advantage_clip=50.0, **settings)
    torch.testing.assert_close(bounded_gradient, gradient, rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(bounded.loss, free.loss, rtol=1e-12, atol=1e-14)
    _, reached = _distilled(_inputs(), advantage_clip=0.05, **settings)
    assert (reached - gradient).abs().amax(-1).min() > 1e-4


@pytest.mark.parametrize("settings", [*DISTRIBUTIONS, *({"distillation_mode": mode} for mode in SAMPLED)])
def test_the_reported_divergence_is_not_bounded(settings):
    settings = {**settings, "sequence_ids": SEQUENCE_IDS}
    free, _ = _distilled(_inputs(), **settings)
    bounded, _ = _distilled(_inputs(), advantage_clip=0.05, **settings)
    torch.testing.assert_close(bounded.divergence, free.divergence, rtol=0, atol=0)
    assert (bounded.loss - free.loss).abs().max() > 1e-3
    assert not bounded.divergence.requires_grad


def test_an_advantage_is_bounded_on_either_side_by_hand():
    # Log-ratios log 4 and -log 4: with c = 1 they count as 1 and -1, so the value is 0.8 - 0.2.
    student, teacher = torch.tensor([[0.8, 0.2], [0.2, 0.8]], dtype=torch.float64).log()
    assert clipped_reverse_kl(student, teacher, 1.0).item() == pytest.approx(0.6, abs=1e-14)
    assert clipped_reverse_kl(student, teacher, 2.0).item() == pytest.approx(0.6 * math.log(4), abs=1e-14)


def test_the_bounded_form_is_finite_and_gives_the_teacher_no_gradient():
    student = torch.tensor([[0.0, -math.inf, 1.0, -math.inf]], requires_grad=True)
    teacher = torch.tensor([[0.0, 1.0, -math.inf, -math.inf]], requires_grad=True)
    value = clipped_reverse_kl(student.log_softmax(-1), teacher.log_softmax(-1), 5.0)
    (gradient,) = torch.autograd.grad(value.sum(), student)
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0
    with pytest.raises(RuntimeError, match="unused|not have been used"):
        torch.autograd.grad(clipped_reverse_kl(student.log_softmax(-1), teacher, 5.0).sum(), teacher)


def test_the_bounded_form_refuses_different_buckets():
    with pytest.raises(ValueError, match="same buckets"):
        clipped_reverse_kl(torch.zeros(2, 3), torch.zeros(2, 4), 5.0)


def test_low_precision_is_computed_in_float32():
    student, teacher, _ = _inputs()
    log_p, log_q = student.log_softmax(-1).bfloat16(), teacher.log_softmax(-1).bfloat16()
    value = clipped_reverse_kl(log_p, log_q, 50.0)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, generalized_jsd(log_p, log_q, 1.0))


def test_top1_with_tail_gives_the_token_level_form_of_the_paper():
    # Two buckets, so the reverse KL of a coin: gradient dp1 * (log p1/q1 - log (1-p1)/(1-q1)).
    inputs = _inputs()
    _, gradient = _distilled(inputs, topk=1)
    for row, (student_row, teacher_row) in enumerate(zip(inputs[0], inputs[1], strict=True)):
        p, q = student_row.softmax(-1).tolist(), teacher_row.softmax(-1).tolist()
        best = p.index(max(p))
        pull = math.log(p[best] / q[best]) - math.log((1 - p[best]) / (1 - q[best]))
        expected = [pull * p[best] * (float(i == best) - p[i]) for i in range(len(p))]
        torch.testing.assert_close(gradient[row], torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=1e-13)


# Sampled tokens and sequences


@pytest.mark.parametrize("clip", [None, CLIP, 0.05])
def test_a_sampled_token_has_its_own_bounded_log_ratio_times_the_score(clip):
    inputs = _inputs()
    factors = [ratio if clip is None else _bounded(ratio, clip) for ratio in _log_ratios(inputs)]
    expected = torch.tensor(factors, dtype=torch.float64)[:, None] * _scores(inputs)
    tokens, gradient = _distilled(inputs, distillation_mode="sampled_token", advantage_clip=clip)
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(tokens.divergence, torch.tensor(_log_ratios(inputs), dtype=torch.float64))


@pytest.mark.parametrize("clip", [None, CLIP, 0.05])
def test_a_token_of_a_sequence_has_the_mean_of_the_bounded_log_ratios_times_the_score(clip):
    inputs = _inputs()
    ratios = [ratio if clip is None else _bounded(ratio, clip) for ratio in _log_ratios(inputs)]
    ids = SEQUENCE_IDS.tolist()
    factors = [sum(r for r, i in zip(ratios, ids, strict=True) if i == own) / ids.count(own) for own in ids]
    expected = torch.tensor(factors, dtype=torch.float64)[:, None] * _scores(inputs)
    tokens, gradient = _distilled(
        inputs, distillation_mode="sampled_sequence", advantage_clip=clip, sequence_ids=SEQUENCE_IDS
    )
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(tokens.divergence, torch.tensor(_log_ratios(inputs), dtype=torch.float64))


def test_these_inputs_reach_the_bound_on_both_sides_and_do_not_always():
    ratios = _log_ratios(_inputs())
    assert min(ratios) < -CLIP
    assert max(ratios) > CLIP
    assert any(abs(ratio) < CLIP for ratio in ratios)


def test_sequences_of_one_token_are_sampled_tokens():
    token, token_gradient = _distilled(_inputs(), distillation_mode="sampled_token")
    alone = torch.arange(len(SEQUENCE_IDS))
    sequence, sequence_gradient = _distilled(_inputs(), distillation_mode="sampled_sequence", sequence_ids=alone)
    torch.testing.assert_close(sequence.loss, token.loss, rtol=0, atol=0)
    torch.testing.assert_close(sequence_gradient, token_gradient, rtol=0, atol=0)


def test_a_sequence_has_the_credit_it_has_alone():
    inputs = _inputs()
    together, _ = _distilled(inputs, distillation_mode="sampled_sequence", sequence_ids=SEQUENCE_IDS)
    for own in SEQUENCE_IDS.unique():
        here = own == SEQUENCE_IDS
        alone, _ = _distilled(
            [x[here] for x in inputs], distillation_mode="sampled_sequence", sequence_ids=SEQUENCE_IDS[here]
        )
        torch.testing.assert_close(alone.loss, together.loss[here])


def test_no_tokens_make_no_sequences():
    empty = [x[:0] for x in _inputs()]
    tokens, gradient = _distilled(empty, distillation_mode="sampled_sequence", sequence_ids=SEQUENCE_IDS[:0])
    assert tokens.loss.shape == (0,)
    assert gradient.shape == (0, 8)


@pytest.mark.parametrize("clip", [None, CLIP])
def test_in_a_batch_a_sequence_is_the_counting_tokens_of_a_row(clip):
    generator = torch.Generator().manual_seed(0)
    student, teacher = 1.5 * torch.randn(2, 4, 5, 6, generator=generator, dtype=torch.float64)
    responses = torch.randint(0, 6, (4, 5), generator=generator)
    response_mask = torch.tensor([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
    has_target = torch.tensor([1, 0, 1, 1])
    expected = torch.zeros_like(student)
    for row in (0, 2, 3):
        tokens = [t for t in range(5) if response_mask[row, t]]
        inputs = (student[row, tokens], teacher[row, tokens], responses[row, tokens])
        ratios = [r if clip is None else _bounded(r, clip) for r in _log_ratios(inputs)]
        expected[row, tokens] = sum(ratios) / len(ratios) * _scores(inputs) / 7  # seven tokens count
    skipped = (response_mask * has_target[:, None]) == 0
    student[skipped] = math.nan
    student.requires_grad_()
    loss, _ = self_distillation_loss(
        student,
        teacher,
        responses,
        response_mask,
        distillation_mode="sampled_sequence",
        alpha=1.0,
        advantage_clip=clip,
        is_clip=None,
        self_distillation_mask=has_target,
    )
    torch.testing.assert_close(torch.autograd.grad(loss, student)[0], expected, rtol=1e-11, atol=1e-13)


def test_a_batch_passes_the_bound_on_to_distributions():
    student, teacher, token_ids = _inputs()
    batched = (student[None], teacher[None], token_ids[None], torch.ones(1, len(token_ids)))
    loss, _ = self_distillation_loss(*batched, alpha=1.0, topk=3, is_clip=None, advantage_clip=CLIP)
    torch.testing.assert_close(
        loss, distill_tokens(*_inputs(), alpha=1.0, topk=3, advantage_clip=CLIP).loss.mean(), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"advantage_clip": 0.0, "alpha": 1.0}, "advantage_clip=0.0 must be above 0"),
        ({"advantage_clip": math.nan, "alpha": 1.0}, "advantage_clip=nan must be above 0"),
        ({"advantage_clip": 5.0, "alpha": 0.5}, "advantage_clip=5.0 needs the reverse KL"),
        ({"advantage_clip": 5.0, "alpha": 0.0, "distillation_mode": "full_logits"}, "use alpha=1.0"),
        ({"distillation_mode": "sampled_sequence", "alpha": 0.5}, "'sampled_sequence', which estimates the reverse"),
        ({"distillation_mode": "sampled_sequence", "alpha": 1.0}, "sequence_ids=None"),
        (
            {"distillation_mode": "sampled_sequence", "alpha": 1.0, "sequence_ids": SEQUENCE_IDS[1:]},
            r"sequence_ids \(6,\) torch.int64 must be \(7,\)",
        ),
        (
            {"distillation_mode": "sampled_sequence", "alpha": 1.0, "sequence_ids": SEQUENCE_IDS.double()},
            r"sequence_ids \(7,\) torch.float64 must be",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        distill_tokens(*_inputs(), **settings)
