# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A loss of several terms through verl's engine: distillation, policy loss, KL to a reference, entropy, weights."""

import dataclasses

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tests.worker.engine_case import (
    actor_config,
    batch_of,
    gradients_of,
    make_samples,
    make_worker,
    other_weights,
    plain_model,
    set_teacher,
)
from verl_sdpo.algorithm import self_distillation_loss

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
MASKS = [[1, 1, 1], [1] * 6, [1, 0, 0, 1, 1], [1, 1], [1], [0, 1, 1, 1], [1] * 7, [1, 1, 0]]
# The second and the fifth have no target: the other terms count them all the same.
SAMPLES = make_samples(MASKS, [1, 0, 1, 1, 0, 1, 1, 1])
NO_TARGETS = [dataclasses.replace(sample, has_target=False) for sample in SAMPLES]
OPTIONS = {"distillation_topk": 7, "teacher_update_rate": 0.0}
GENERATOR = torch.Generator().manual_seed(5)
ADVANTAGES = [(2 * torch.rand(len(mask), generator=GENERATOR) - 1).tolist() for mask in MASKS]
REFERENCES = [(-3 * torch.rand(len(mask), generator=GENERATOR)).tolist() for mask in MASKS]
DISTILLATION_WEIGHTS, POLICY_WEIGHTS = [0.5, 1, 0.25, 2, 1, 0, 1, 1.5], [1, 0, 0.5, 1, 2, 1, 0, 0.3]
KL, ENTROPY, CLIP = 0.4, 0.3, 0.2

# Options, then the actor's terms.
CASES = {
    "distillation only": ({"distillation_weight": 1.0}, {}),
    "policy only": ({"distillation_weight": 0.0}, {}),
    "hybrid": ({"distillation_weight": 0.3}, {}),
    "weighted hybrid": ({"distillation_weight": 0.3, "sample_weighting": "pass_rate"}, {}),
    "distillation with KL": ({}, {"use_kl_loss": True, "kl_loss_coef": KL, "kl_loss_type": "low_var_kl"}),
    "hybrid with KL and entropy": (
        {"distillation_weight": 0.3},
        {"use_kl_loss": True, "kl_loss_coef": KL, "kl_loss_type": "low_var_kl", "entropy_coeff": ENTROPY},
    ),
    "without the first two tokens": ({"skip_first_tokens": 2}, {}),
}


def batch(samples, rank, world, options, terms, **settings):
    part = slice(rank, None, world)
    data = batch_of(samples[part], world=world, calculate_entropy="entropy_coeff" in terms, **settings)

    def nested(rows):
        return torch.nested.as_nested_tensor([torch.tensor(row) for row in rows[part]], layout=torch.jagged)

    data["advantages"], data["ref_log_prob"] = nested(ADVANTAGES), nested(REFERENCES)
    if "sample_weighting" in options:
        data["self_distillation_weight"] = torch.tensor(DISTILLATION_WEIGHTS[part], dtype=torch.float32)
        data["policy_gradient_weight"] = torch.tensor(POLICY_WEIGHTS[part], dtype=torch.float32)
    return data


def train(rank, world, path):
    """By case `(gradients, metrics)`; and what verl's own loss does with the same batch."""
    from functools import partial

    from verl.workers.utils.losses import ppo_loss

    worker = make_worker(path)
    seen = {}
    for name, (options, terms) in CASES.items():
        config = actor_config(worker.engine_config, OPTIONS | options, clip_ratio=CLIP, **terms)
        worker.start_self_distillation(config)
        set_teacher(worker, other_weights(path))
        seen[name] = gradients_of(worker, batch(SAMPLES, rank, world, options, terms))
        if name in ("policy only", "hybrid", "distillation with KL"):
            seen[name, "no target"] = gradients_of(worker, batch(NO_TARGETS, rank, world, options, terms))
    config = actor_config(worker.engine_config, OPTIONS, loss_mode="vanilla", clip_ratio=CLIP)
    worker.start_self_distillation(config)
    worker.set_loss_fn(partial(ppo_loss, config=config))
    seen["verl"] = gradients_of(worker, batch(SAMPLES, rank, world, {}, {}))
    return seen


@pytest.fixture(scope="module")
def trained(ranks, models):
    return ranks.run(train, models["untied"])


@pytest.fixture(scope="module")
def definitions(models):
    """Gradients by case, from plain models in float64, whole sequences and the formulas of the terms."""
    return {name: definition(models["untied"], *case) for name, case in CASES.items()}


def definition(path, options, terms):
    student, teacher = plain_model(path).double(), plain_model(path)
    teacher.load_state_dict(other_weights(path))
    teacher.double()

    def padded(rows):
        return pad_sequence([torch.as_tensor(row) for row in rows], batch_first=True)

    def logits(model, prompt, sample):
        return model(torch.tensor([prompt + sample.response])).logits[0, len(prompt) - 1 : -1]

    student_logits = padded([logits(student, s.prompt, s) for s in SAMPLES])
    teacher_logits = padded([logits(teacher, s.teacher_prompt, s) for s in SAMPLES]).detach()
    responses, mask = padded([s.response for s in SAMPLES]), padded([s.mask for s in SAMPLES])
    old_log_probs = padded([s.old_log_probs for s in SAMPLES]).double()
    is_weighted = "sample_weighting" in options
    skipped = options.get("skip_first_tokens", 0)
    distillation, _ = self_distillation_loss(
        student_logits,
        teacher_logits,
        responses,
        mask * (mask.cumsum(1) > skipped),
        topk=7,
        old_log_probs=old_log_probs,
        self_distillation_mask=torch.tensor([s.has_target for s in SAMPLES]),
        # A weight of a sample and one of its tokens are the same factor.
        rollout_is_weights=torch.tensor(DISTILLATION_WEIGHTS)[:, None] * mask if is_weighted else None,
    )
    num_tokens = mask.sum()
    log_probs = student_logits.log_softmax(-1)
    entropy = -(log_probs.exp() * log_probs).sum(-1)
    log_probs = log_probs.gather(-1, responses[..., None])[..., 0]
    advantages = padded(ADVANTAGES).double()
    if is_weighted:
        advantages = advantages * torch.tensor(POLICY_WEIGHTS)[:, None]
    ratio = (log_probs - old_log_probs).exp()
    clipped = torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - CLIP, 1 + CLIP))
    # verl's dual clip: a negative advantage never weighs more than three times.
    policy = torch.where(advantages < 0, torch.minimum(clipped, -3.0 * advantages), clipped)
    log_ratio = padded(REFERENCES).double() - log_probs
    kl = (log_ratio.exp() - log_ratio - 1).clamp(-10, 10)
    weight = options.get("distillation_weight", 1.0)
    loss = weight * distillation + (1 - weight) * (policy * mask).sum() / num_tokens
    loss = loss + terms.get("kl_loss_coef", 0.0) * (kl * mask).sum() / num_tokens
    loss = loss - terms.get("entropy_coeff", 0.0) * (entropy * mask).sum() / num_tokens
    loss.backward()
    return {name: p.grad for name, p in student.named_parameters()}


@WORLDS
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_the_sum_of_the_terms(trained, definitions, name, world):
    for rank in trained[world]:
        gradients, _ = rank[name]
        for parameter, expected in definitions[name].items():
            size = expected.abs().max().item()
            assert size > 1e-5
            torch.testing.assert_close(
                gradients[parameter].double(), expected, rtol=1e-3, atol=1e-3 * size, msg=parameter
            )


def test_every_case_has_a_gradient_of_its_own(definitions):
    firsts = {name: gradients["lm_head.weight"] for name, gradients in definitions.items()}
    for name, gradient in firsts.items():
        for other, gradient_of_other in firsts.items():
            assert name == other or not torch.allclose(gradient, gradient_of_other, rtol=1e-2), (name, other)


@WORLDS
def test_weight_zero_is_verls_own_loss_bit_for_bit(trained, world):
    for rank in trained[world]:
        gradients, metrics = rank["policy only"]
        of_verl, metrics_of_verl = rank["verl"]
        assert all(torch.equal(gradient, of_verl[name]) for name, gradient in gradients.items())
        assert metrics["actor/pg_loss"] == metrics_of_verl["actor/pg_loss"]
        assert not any(name.startswith("self_distillation/divergence") for name in metrics)


@WORLDS
def test_without_a_target_the_policy_loss_still_trains_and_a_kl_alone_does_not(trained, world):
    for rank in trained[world]:
        for name in ("policy only", "hybrid"):
            gradients, metrics = rank[name, "no target"]
            assert metrics["self_distillation/num_optimizer_steps"] == 1
            scale = 1.0 - CASES[name][0]["distillation_weight"]
            for parameter, gradient in gradients.items():
                torch.testing.assert_close(gradient, scale * rank["verl"][0][parameter], rtol=1e-5, atol=1e-7)
        gradients, metrics = rank["distillation with KL", "no target"]
        assert gradients == {}
        assert metrics["self_distillation/num_optimizer_steps"] == 0


@WORLDS
def test_terms_are_logged_under_verls_names(trained, world):
    for rank in trained[world]:
        _, metrics = rank["hybrid with KL and entropy"]
        assert {"actor/pg_loss", "actor/entropy_loss", "kl_loss", "kl_coef", "self_distillation/loss"} <= set(metrics)
        assert not {"actor/pg_loss", "kl_loss"} & set(rank["distillation only"][1])
