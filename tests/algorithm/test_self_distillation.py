# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The composed loss: masks, gradients, weights, micro-batches, metrics and refusals."""

import math

import pytest
import torch

from verl_sdpo.algorithm import self_distillation_loss
from verl_sdpo.algorithm.aggregate import LOSS_AGG_MODES, aggregate_loss
from verl_sdpo.algorithm.importance import importance_weights
from verl_sdpo.algorithm.token_loss import distill_tokens

BATCH, RESPONSE_LEN, VOCAB = 4, 5, 13
MODES = [
    {"distillation_mode": "full_logits", "topk": None, "add_tail": None, "alpha": 0.3},
    {"distillation_mode": "topk_logits", "topk": 4, "add_tail": True, "alpha": 0.5},
    {"distillation_mode": "topk_logits", "topk": 4, "add_tail": False, "alpha": 0.0},
    {"distillation_mode": "sampled_token", "topk": None, "add_tail": None, "alpha": 1.0},
]


def _batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = 2 * torch.randn(2, BATCH, RESPONSE_LEN, VOCAB, generator=generator, dtype=torch.float64)
    responses = torch.randint(0, VOCAB, (BATCH, RESPONSE_LEN), generator=generator)
    lengths = torch.tensor([5, 3, 4, 1])
    log_probs = student.log_softmax(-1).gather(-1, responses[..., None]).squeeze(-1)
    return {
        "student_logits": student,
        "teacher_logits": teacher,
        "responses": responses,
        "response_mask": (torch.arange(RESPONSE_LEN) < lengths[:, None]).long(),
        "old_log_probs": log_probs + torch.randn(BATCH, RESPONSE_LEN, generator=generator, dtype=torch.float64),
        "self_distillation_mask": torch.tensor([1, 0, 1, 1]),
        "rollout_is_weights": 0.5 + torch.rand(BATCH, RESPONSE_LEN, generator=generator, dtype=torch.float64),
    }


def _loss_and_gradient(batch, **settings):
    student = batch["student_logits"].clone().requires_grad_()
    loss, metrics = self_distillation_loss(**{**batch, "student_logits": student}, **settings)
    return loss.detach(), torch.autograd.grad(loss, student)[0], metrics


def test_defaults_are_those_of_the_published_runs():
    batch = _batch()
    by_default, _ = self_distillation_loss(**batch)
    spelled_out, _ = self_distillation_loss(
        **batch,
        distillation_mode="topk_logits",
        topk=100,
        add_tail=True,
        alpha=0.5,
        is_clip=2.0,
        loss_agg_mode="token-mean",
    )
    assert by_default.item() == spelled_out.item()


def test_value_is_the_weighted_mean_of_the_definition():
    batch = _batch()
    loss, _, _ = _loss_and_gradient(batch, distillation_mode="full_logits", alpha=0.3)
    total, count = 0.0, 0
    for row in range(BATCH):
        for column in range(RESPONSE_LEN):
            if not (batch["response_mask"][row, column] and batch["self_distillation_mask"][row]):
                continue
            p, q = (batch[name][row, column].softmax(-1) for name in ("student_logits", "teacher_logits"))
            m = 0.7 * p + 0.3 * q
            divergence = 0.7 * (p * (p / m).log()).sum() + 0.3 * (q * (q / m).log()).sum()
            old = batch["old_log_probs"][row, column].exp()
            ratio = min((p[batch["responses"][row, column]] / old).item(), 2.0)
            total += divergence.item() * ratio * batch["rollout_is_weights"][row, column].item()
            count += 1
    assert count == 10
    assert loss.item() == pytest.approx(total / count, rel=1e-12)


@pytest.mark.parametrize("mode", MODES[:3])
@pytest.mark.parametrize("loss_agg_mode", LOSS_AGG_MODES)
def test_gradient_is_that_of_finite_differences(mode, loss_agg_mode):
    batch = _batch()
    student = batch.pop("student_logits").requires_grad_()
    # The importance weight is a constant of the gradient, so it must not move with the logits here.
    del batch["old_log_probs"]
    assert torch.autograd.gradcheck(
        lambda x: self_distillation_loss(x, **batch, **mode, is_clip=None, loss_agg_mode=loss_agg_mode)[0], (student,)
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("masked", ["response_mask", "self_distillation_mask"])
@pytest.mark.parametrize("loss_agg_mode", LOSS_AGG_MODES)
def test_batch_with_nothing_to_learn_has_zero_loss_and_gradient(mode, masked, loss_agg_mode):
    batch = _batch()
    batch[masked] = torch.zeros_like(batch[masked])
    loss, gradient, metrics = _loss_and_gradient(batch, **mode, loss_agg_mode=loss_agg_mode)
    assert loss.item() == 0
    assert (gradient == 0).all()
    assert set(metrics.values()) == {0.0}


@pytest.mark.parametrize("mode", MODES)
def test_only_tokens_that_count_have_a_gradient(mode):
    _, gradient, _ = _loss_and_gradient(_batch(), **mode)
    batch = _batch()
    counts = batch["response_mask"].bool() & batch["self_distillation_mask"].bool()[:, None]
    assert (gradient[~counts] == 0).all()
    assert (gradient[counts].abs().amax(-1) > 0).all()


@pytest.mark.parametrize("mode", MODES)
def test_positions_that_do_not_count_may_hold_anything(mode):
    batch = _batch()
    loss, gradient, _ = _loss_and_gradient(batch, **mode)
    skipped = ~(batch["response_mask"].bool() & batch["self_distillation_mask"].bool()[:, None])
    for name in ("student_logits", "teacher_logits", "old_log_probs", "rollout_is_weights"):
        batch[name][skipped] = math.nan
    batch["responses"][skipped] = -100
    loss_with_nan, gradient_with_nan, _ = _loss_and_gradient(batch, **mode)
    assert loss_with_nan.item() == loss.item()
    torch.testing.assert_close(gradient_with_nan, gradient, rtol=0, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_absent_target_mask_means_every_sample_has_a_target(mode):
    batch = _batch()
    batch["self_distillation_mask"] = torch.ones(BATCH)
    expected, _, _ = _loss_and_gradient(batch, **mode)
    batch["self_distillation_mask"] = None
    assert _loss_and_gradient(batch, **mode)[0].item() == expected.item()


@pytest.mark.parametrize("mode", MODES)
def test_old_log_probs_of_the_same_student_change_nothing(mode):
    batch = _batch()
    without, gradient_without, _ = _loss_and_gradient({**batch, "old_log_probs": None}, **mode, is_clip=None)
    log_probs = batch["student_logits"].log_softmax(-1)
    batch["old_log_probs"] = log_probs.gather(-1, batch["responses"][..., None]).squeeze(-1)
    loss, gradient, metrics = _loss_and_gradient(batch, **mode, is_clip=2.0)
    torch.testing.assert_close(loss, without)
    torch.testing.assert_close(gradient, gradient_without)
    assert metrics["self_distillation/importance_ratio_max"] == pytest.approx(1.0)
    assert metrics["self_distillation/importance_clip_fraction"] == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_far_older_log_probs_scale_loss_and_gradient_by_the_clip(mode):
    batch = _batch()
    plain, gradient_plain, _ = _loss_and_gradient({**batch, "old_log_probs": None}, **mode, is_clip=None)
    batch["old_log_probs"] = batch["old_log_probs"] - 30.0
    loss, gradient, metrics = _loss_and_gradient(batch, **mode, is_clip=1.5)
    torch.testing.assert_close(loss, 1.5 * plain)
    torch.testing.assert_close(gradient, 1.5 * gradient_plain)
    assert metrics["self_distillation/importance_clip_fraction"] == 1.0


@pytest.mark.parametrize("rows_each", [1, 2, 4])
@pytest.mark.parametrize("loss_agg_mode", LOSS_AGG_MODES)
@pytest.mark.parametrize("mode", MODES)
def test_layers_over_micro_batches_give_the_loss_of_the_whole(mode, loss_agg_mode, rows_each):
    # As a trainer does it: only the tokens that count, counts of the whole mini-batch, gradients accumulated.
    batch = _batch()
    expected, expected_gradient, _ = _loss_and_gradient(batch, **mode, loss_agg_mode=loss_agg_mode)
    counts = batch["response_mask"].bool() & batch["self_distillation_mask"].bool()[:, None]
    student = batch["student_logits"].requires_grad_()
    total = 0.0
    for start in range(0, BATCH, rows_each):
        rows = slice(start, start + rows_each)
        here = counts[rows]
        part = {name: value[rows][here] for name, value in batch.items() if name != "self_distillation_mask"}
        tokens = distill_tokens(part["student_logits"], part["teacher_logits"], part["responses"], **mode)
        weights, _ = importance_weights(
            tokens.log_probs, part["old_log_probs"], is_clip=2.0, rollout_is_weights=part["rollout_is_weights"]
        )
        token_loss = torch.zeros(here.shape, dtype=torch.float64).masked_scatter(here, tokens.loss * weights)
        loss = aggregate_loss(token_loss, here, loss_agg_mode, num_tokens=10, num_sequences=3)
        loss.backward()
        total += loss.item()
    assert total == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(student.grad, expected_gradient, rtol=1e-11, atol=1e-15)


def test_bfloat16_logits_give_a_float32_loss_near_the_exact_one():
    batch = _batch()
    exact, _, _ = _loss_and_gradient(batch, distillation_mode="full_logits")
    for name in ("student_logits", "teacher_logits"):
        batch[name] = batch[name].bfloat16()
    loss, gradient, _ = _loss_and_gradient(batch, distillation_mode="full_logits")
    assert loss.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)


def test_metrics_are_floats_with_the_values_they_name():
    batch = _batch()
    _, _, metrics = _loss_and_gradient(batch, topk=4, is_clip=1.2)
    assert all(type(value) is float and name.startswith("self_distillation/") for name, value in metrics.items())
    counts = batch["response_mask"].bool() & batch["self_distillation_mask"].bool()[:, None]
    p, q = batch["student_logits"][counts].softmax(-1), batch["teacher_logits"][counts].softmax(-1)
    sampled = batch["responses"][counts][:, None]
    support = p.topk(4).indices
    ratio = p.gather(-1, sampled).squeeze(-1) / batch["old_log_probs"][counts].exp()
    weights = ratio.clamp(max=1.2) * batch["rollout_is_weights"][counts]
    expected = {
        "sampled_log_ratio_mean": (p / q).log().gather(-1, sampled).mean(),
        "student_entropy_mean": torch.distributions.Categorical(p).entropy().mean(),
        "teacher_entropy_mean": torch.distributions.Categorical(q).entropy().mean(),
        "student_support_mass_mean": p.gather(-1, support).sum(-1).mean(),
        "teacher_support_mass_mean": q.gather(-1, support).sum(-1).mean(),
        "importance_ratio_mean": ratio.mean(),
        "importance_ratio_max": ratio.max(),
        "importance_clip_fraction": (ratio > 1.2).double().mean(),
        "importance_weight_mean": weights.mean(),
        "importance_weight_max": weights.max(),
        "num_target_tokens": 10.0,
        "target_token_fraction": 10 / 13,
    }
    unweighted, _, _ = _loss_and_gradient({**batch, "rollout_is_weights": None}, topk=4, is_clip=None)
    expected["divergence_mean"] = unweighted
    assert metrics.keys() == {f"self_distillation/{name}" for name in expected}
    for name, value in expected.items():
        assert metrics[f"self_distillation/{name}"] == pytest.approx(float(value), rel=1e-9), name
    assert 0 < metrics["self_distillation/importance_clip_fraction"] < 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss_agg_mode": "mean"}, "loss_agg_mode='mean'"),
        ({"distillation_mode": "logits"}, "distillation_mode='logits'"),
        ({"topk": -1}, "topk=-1"),
        ({"alpha": 2.0}, "alpha=2.0"),
        ({"is_clip": 0.0}, "is_clip=0.0"),
        ({"old_log_probs": None}, "is_clip=2.0 needs old_log_probs"),
        ({"teacher_logits": torch.zeros(BATCH, RESPONSE_LEN, VOCAB + 1)}, "teacher_logits"),
        ({"student_logits": torch.zeros(BATCH * RESPONSE_LEN, VOCAB)}, "student_logits"),
        ({"responses": torch.zeros(BATCH, RESPONSE_LEN + 1).long()}, "responses has shape"),
        ({"response_mask": torch.ones(BATCH)}, "response_mask has shape"),
        ({"old_log_probs": torch.zeros(BATCH)}, "old_log_probs has shape"),
        ({"rollout_is_weights": torch.ones(BATCH)}, "rollout_is_weights has shape"),
        ({"self_distillation_mask": torch.ones(BATCH, RESPONSE_LEN)}, "self_distillation_mask has shape"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        self_distillation_loss(**{**_batch(), **changes})
