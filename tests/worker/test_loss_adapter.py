# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The loss through verl's FSDP2 engine against `self_distillation_loss` on padded logits of plain models in float64."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tests.worker.engine_case import (
    VOCAB,
    Sample,
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
from verl_sdpo.config import SelfDistillationConfig

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
# Tool results in the middle; the fourth sample's tokens were all rejected after it had got its target.
MASKS = [[1, 1, 1], [1] * 6, [1, 0, 0, 1, 1], [0, 0], [1], [0, 1, 1, 1], [1] * 7, [1, 1, 0]]
MIXED = make_samples(MASKS, [1, 0, 1, 1, 0, 1, 1, 1])
# Samples are dealt out in turn: of two ranks the second has no target.
ONE_SIDED = make_samples(MASKS, [1, 0, 1, 0, 1, 0, 1, 0])
MODES = {
    "full": {"distillation_topk": None, "alpha": 0.0, "is_clip": None},
    "top-k with tail": {"distillation_topk": 7},
    "top-k without tail": {"distillation_topk": 7, "distillation_add_tail": False, "alpha": 1.0, "is_clip": 1.5},
    "the teacher's support": {"distillation_topk": 7, "distillation_support": "teacher"},
    "union of supports, bounded": {
        "distillation_topk": 7,
        "distillation_support": "union",
        "alpha": 1.0,
        "advantage_clip": 0.5,
    },
    "top-1 token": {"credit_assignment": "token_top1", "alpha": 1.0},
    "sampled token": {"credit_assignment": "token", "alpha": 1.0},
    "sequence": {"credit_assignment": "sequence", "alpha": 1.0, "advantage_clip": 0.7},
}
AGGREGATIONS = ("token-mean", "seq-mean-token-mean", "seq-mean-token-sum")
# What the worker reports under these names, in the words of `distillation_metrics`.
METRICS = {
    "divergence": "divergence_mean",
    "student_entropy": "student_entropy_mean",
    "teacher_entropy": "teacher_entropy_mean",
    "student_support_mass": "student_support_mass_mean",
    "teacher_support_mass": "teacher_support_mass_mean",
    "importance_ratio": "importance_ratio_mean",
    "importance_weight": "importance_weight_mean",
    "importance_ratio_max": "importance_ratio_max",
}


@dataclass(frozen=True)
class Case:
    """A mini-batch and the way it is split."""

    options: dict[str, Any]
    samples: list[Sample] = field(default_factory=lambda: MIXED)
    loss_agg_mode: str = "token-mean"
    temperature: float = 1.0
    micro_batch_size: int = 2
    max_token_len: int | None = None  # verl's dynamic batching
    has_rollout_weights: bool = False
    calculate_entropy: bool = False


@dataclass(frozen=True)
class Outcome:
    """Loss, gradient by parameter, metrics."""

    loss: float
    gradients: dict[str, torch.Tensor]
    metrics: dict[str, float]


def train(rank, world, path, cases, use_remove_padding):
    """One step for each case, with a learning rate of zero: the same weights throughout."""
    worker = make_worker(path, use_remove_padding=use_remove_padding)
    return [train_once(worker, case, rank, world, path) for case in cases]


def train_once(worker, case, rank, world, path):
    settings = worker.engine_config
    settings.micro_batch_size_per_gpu = settings.infer_micro_batch_size_per_gpu = case.micro_batch_size
    settings.use_dynamic_bsz = case.max_token_len is not None
    settings.max_token_len_per_gpu = settings.infer_max_token_len_per_gpu = case.max_token_len
    worker.start_self_distillation(
        actor_config(settings, case.options | {"teacher_update_rate": 0.0}, case.loss_agg_mode)
    )
    set_teacher(worker, other_weights(path))
    batch = batch_of(
        case.samples[rank::world],
        world=world,
        has_rollout_weights=case.has_rollout_weights,
        temperature=case.temperature,
        calculate_entropy=case.calculate_entropy,
    )
    gradients, metrics = gradients_of(worker, batch)
    prefix = "self_distillation/"
    numbers = {name: float(metrics[prefix + name][0]) for name in [*METRICS, "loss"]}
    return Outcome(metrics["loss"][0], gradients, numbers)


def expected(path, case):
    """The definition: both models on whole sequences one by one, padded logits, the plain loss, autograd."""
    options = SelfDistillationConfig.from_flat(case.options)
    student, teacher = plain_model(path).double(), plain_model(path)
    teacher.load_state_dict(other_weights(path), strict=False)
    teacher.tie_weights()
    teacher.double()

    def response_logits(model, prompt, sample):
        logits = model(torch.tensor([prompt + sample.response])).logits[0]
        return logits[len(prompt) - 1 : -1] / case.temperature

    def padded(rows):
        return pad_sequence([torch.as_tensor(row) for row in rows], batch_first=True)

    samples = case.samples
    loss, metrics = self_distillation_loss(
        padded([response_logits(student, s.prompt, s) for s in samples]),
        padded([response_logits(teacher, s.teacher_prompt, s) for s in samples]),
        padded([s.response for s in samples]),
        padded([s.mask for s in samples]),
        distillation_mode=options.distillation_mode,
        topk=options.topk,
        add_tail=options.distillation_add_tail,
        alpha=options.alpha,
        support=options.distillation_support,
        advantage_clip=options.advantage_clip,
        is_clip=options.is_clip,
        old_log_probs=padded([s.old_log_probs for s in samples]),
        self_distillation_mask=torch.tensor([s.has_target for s in samples]),
        rollout_is_weights=padded([s.rollout_weights for s in samples]) if case.has_rollout_weights else None,
        loss_agg_mode=case.loss_agg_mode,
    )
    loss.backward()
    gradients = {name: p.grad for name, p in student.named_parameters()}
    return Outcome(loss.item(), gradients, {name: metrics[f"self_distillation/{of}"] for name, of in METRICS.items()})


def assert_same(outcome, definition):
    assert math.isclose(outcome.loss, definition.loss, rel_tol=1e-4, abs_tol=1e-6)
    assert math.isclose(outcome.metrics["loss"], definition.loss, rel_tol=1e-4, abs_tol=1e-6)
    for name, value in definition.metrics.items():
        assert math.isclose(outcome.metrics[name], value, rel_tol=1e-4, abs_tol=1e-5), name
    assert outcome.gradients.keys() == definition.gradients.keys()
    for name, gradient in definition.gradients.items():
        size = gradient.abs().max().item()
        assert size > 1e-5, f"{name} has no gradient to compare"
        torch.testing.assert_close(outcome.gradients[name].double(), gradient, rtol=1e-3, atol=1e-3 * size, msg=name)


def outcomes(ranks, path, cases, use_remove_padding):
    """World size to case to outcome; the same on every rank."""
    seen = ranks.run(train, path, list(cases.values()), use_remove_padding)
    for results in seen.values():
        for of_first, of_last in zip(results[0], results[-1], strict=True):
            assert of_first.loss == of_last.loss
    return {world: dict(zip(cases, results[0], strict=True)) for world, results in seen.items()}


# --- modes -----------------------------------------------------------------------------------------------------------

# In the head, in the head with all that a token can be weighted by, and from logits of all tokens.
VARIANTS = {
    "head": {},
    "head, weighted": {"temperature": 0.7, "has_rollout_weights": True},
    "plain": {"temperature": 0.7, "has_rollout_weights": True, "calculate_entropy": True},
}
MODE_CASES = {
    (mode, variant): Case(options | ({"distillation_head": "plain"} if variant == "plain" else {}), **settings)
    for mode, options in MODES.items()
    for variant, settings in VARIANTS.items()
}


@pytest.fixture(scope="module", params=[("tied", False), ("untied", True)], ids=["tied, padded", "untied, packed"])
def by_mode(request, ranks, models):
    """`(path of the model, outcomes of MODE_CASES by world size)`."""
    name, use_remove_padding = request.param
    return models[name], outcomes(ranks, models[name], MODE_CASES, use_remove_padding)


@WORLDS
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", MODES)
def test_loss_gradient_and_metrics_are_those_of_the_definition(by_mode, mode, variant, world):
    path, seen = by_mode
    assert_same(seen[world][mode, variant], expected(path, MODE_CASES[mode, variant]))


# --- splits ----------------------------------------------------------------------------------------------------------

SPLIT_CASES = {
    (loss_agg_mode, size): Case(MODES["top-k with tail"], loss_agg_mode=loss_agg_mode, micro_batch_size=size)
    for loss_agg_mode in AGGREGATIONS
    for size in (1, 2, 4)
}
DYNAMIC_CASES = {
    (loss_agg_mode, "dynamic"): Case(MODES["top-k with tail"], loss_agg_mode=loss_agg_mode, max_token_len=24)
    for loss_agg_mode in AGGREGATIONS
}
ONE_SIDED_CASES = {
    (loss_agg_mode, "one-sided"): Case(MODES["top-k with tail"], samples=ONE_SIDED, loss_agg_mode=loss_agg_mode)
    for loss_agg_mode in AGGREGATIONS
}


@pytest.fixture(scope="module", params=[False, True], ids=["padded", "packed"])
def by_split(request, ranks, models):
    """Outcomes by world size."""
    return outcomes(ranks, models["untied"], SPLIT_CASES | DYNAMIC_CASES | ONE_SIDED_CASES, request.param)


@pytest.fixture(scope="module")
def definitions(models):
    """What the definition gives for a mini-batch in one piece, by aggregation."""
    cases = {mode: Case(MODES["top-k with tail"], loss_agg_mode=mode) for mode in AGGREGATIONS}
    return {mode: expected(models["untied"], case) for mode, case in cases.items()}


@WORLDS
@pytest.mark.parametrize("size", [1, 2, 4, "dynamic"])
@pytest.mark.parametrize("loss_agg_mode", AGGREGATIONS)
def test_micro_batches_and_ranks_change_nothing(by_split, definitions, loss_agg_mode, size, world):
    assert_same(by_split[world][loss_agg_mode, size], definitions[loss_agg_mode])


@WORLDS
@pytest.mark.parametrize("loss_agg_mode", AGGREGATIONS)
def test_a_rank_without_a_target_adds_nothing_and_holds_nobody_up(by_split, models, loss_agg_mode, world):
    case = ONE_SIDED_CASES[loss_agg_mode, "one-sided"]
    assert not any(sample.has_target for sample in case.samples[1::2])
    assert_same(by_split[world][loss_agg_mode, "one-sided"], expected(models["untied"], case))


# --- without an engine -----------------------------------------------------------------------------------------------


class OverwritingLogProbs(torch.autograd.Function):
    """Log-probabilities whose backward pass leaves its gradient in the logits' own memory, as flash-attn's does."""

    @staticmethod
    def forward(ctx, logits, token_ids):
        ctx.save_for_backward(logits, token_ids)
        return logits.log_softmax(-1).gather(-1, token_ids[:, None]).squeeze(-1)

    @staticmethod
    def backward(ctx, grad):
        logits, token_ids = ctx.saved_tensors
        memory = logits.data
        memory.copy_(grad[:, None] * (torch.nn.functional.one_hot(token_ids, memory.shape[-1]) - memory.softmax(-1)))
        return memory, None


def plain_log_probs(logits, token_ids):
    return logits.log_softmax(-1).gather(-1, token_ids[:, None]).squeeze(-1)


def hybrid_gradient(mode, log_probs_of, distils_first):
    """Of the distillation of one sample, all of whose tokens count, plus the log-probabilities of all tokens."""
    from verl.workers.config import FSDPEngineConfig

    from verl_sdpo.worker.loss_adapter import SelfDistillationLoss
    from verl_sdpo.worker.output_head import HeadWeights
    from verl_sdpo.worker.sdpo_worker import _mark_targets
    from verl_sdpo.worker.teacher_pass import SpokenTargets, TeacherTargets

    generator = torch.Generator().manual_seed(3)
    loss = SelfDistillationLoss(actor_config(FSDPEngineConfig(strategy="fsdp2"), MODES[mode]))
    data = batch_of(make_samples([[1] * 6], [1]))
    _mark_targets(data, skip_first_tokens=0)
    head = HeadWeights(torch.randn(VOCAB, 8, generator=generator), None)
    loss.targets = TeacherTargets([SpokenTargets(1.0, [torch.randn(6, 8, generator=generator)], head)])
    token_ids = data["input_ids"].values()
    leaf = torch.randn(len(token_ids), VOCAB, generator=generator, requires_grad=True)
    logits = 2.0 * leaf
    terms = [
        lambda: loss.per_token(logits, data)["sdpo_loss"].sum(),
        lambda: log_probs_of(logits, token_ids.roll(-1)).sum(),
    ]
    # The backward pass goes through the later one first.
    first, second = terms if distils_first else terms[::-1]
    (first() + second()).backward()
    return leaf.grad


@pytest.mark.parametrize("distils_first", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_log_probs_whose_backward_overwrites_the_logits_change_nothing_that_is_distilled(mode, distils_first):
    expected = hybrid_gradient(mode, plain_log_probs, distils_first)
    torch.testing.assert_close(hybrid_gradient(mode, OverwritingLogProbs.apply, distils_first), expected)
