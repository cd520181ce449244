# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A token at which the teacher's state is not finite is no target: the step is that of a response without it."""

import dataclasses
import math
from unittest import mock

import pytest
import torch

from tests.worker.engine_case import batch_of, make_samples, make_worker
from tests.worker.test_sdpo_worker import EVERYTHING, OPTIMIZER, changed, state, step

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
MASKS = [[1, 1, 1], [1] * 5, [1, 0, 1], [1, 1], [1, 1, 1, 1], [1] * 6, [1, 1, 0], [1]]
SAMPLES = make_samples(MASKS, [1, 1, 0, 1, 1, 0, 1, 1])
# By sample: places in the response. The last sample has nothing else, the fourth loses all, the sixth has no target.
BROKEN = {1: {0: math.nan, 3: math.inf}, 3: {0: -math.inf, 1: math.nan}, 6: {1: math.nan}, 7: {0: math.nan}}
NUM_BROKEN = sum(map(len, BROKEN.values()))
# Options, and epochs: of several, the chunked head makes the teacher's normalisers once; a live teacher speaks anew.
CASES = {
    "ema": ({"teacher_regularization": "ema"}, 2),
    "ema, all logits": ({"teacher_regularization": "ema", "distillation_head": "plain"}, 1),
    "two voices": ({"teacher_regularization": "trust_region"}, 1),
    "live": ({"teacher_regularization": "live"}, 2),
}


def without_broken_places(samples):
    """The same responses, of which those tokens do not count."""
    cut = lambda number, mask: [own * (place not in BROKEN.get(number, ())) for place, own in enumerate(mask)]  # noqa: E731
    return [dataclasses.replace(sample, mask=cut(number, sample.mask)) for number, sample in enumerate(samples)]


def new_worker(path, options):
    # Sums must not depend on which samples are run together.
    options = {"distillation_topk": 7, "teacher_update_rate": 0.25} | options
    optimizer = OPTIMIZER | {"lr_warmup_steps": 0}
    return make_worker(path, options=options, optimizer=optimizer, micro_batch_size=1)


def breaking(everywhere=False):
    """A teacher's pass whose states are not finite at `BROKEN`, or anywhere. Sequences are known by their length."""
    from verl_sdpo.worker.teacher_pass import run_teacher

    lengths = {len(s.teacher_prompt) + len(s.response): number for number, s in enumerate(SAMPLES) if s.has_target}
    assert len(lengths) == sum(sample.has_target for sample in SAMPLES)

    def run(engine, teacher, sequences, **settings):
        targets = run_teacher(engine, teacher, sequences, **settings)
        for place, sequence in enumerate(sequences):
            # Of several voices the last one is broken.
            states = targets.voices[-1].hidden[place]
            if everywhere:
                states.fill_(math.nan)
                continue
            counted = sequence.target_mask.nonzero().squeeze(-1).tolist()
            for token, value in BROKEN.get(lengths[sequence.input_ids.numel()], {}).items():
                states[counted.index(token), 3] = value
        return targets

    return mock.patch("verl_sdpo.worker.sdpo_worker.run_teacher", run)


def broken_steps(rank, world, path):
    """By case: how a step beside broken tokens differs from one without them, what it moved, and its metrics."""
    seen = {}
    for name, (options, epochs) in CASES.items():
        worker, reference = (new_worker(path, options) for _ in range(2))
        before = state_of(worker)
        with breaking():
            metrics = step(worker, SAMPLES, rank, world, epochs=epochs)
        expected = step(reference, without_broken_places(SAMPLES), rank, world, epochs=epochs)
        difference = changed(state_of(reference), state_of(worker))
        seen[name] = (difference, changed(before, state_of(worker)), metrics, expected)
    worker = new_worker(path, CASES["ema"][0])
    step(worker, SAMPLES, rank, world)
    before = state_of(worker)
    with breaking(everywhere=True):
        metrics = step(worker, SAMPLES, rank, world, mini_batch_size=4)
    seen["everywhere"] = (changed(before, state_of(worker)), metrics)
    with breaking():
        batch = batch_of(SAMPLES[rank::world], world=world)
        output = worker.compute_teacher_log_prob(batch)
        rows = zip(output["teacher_log_probs"].unbind(), output["teacher_target_mask"].unbind(), strict=True)
        seen["estimator"] = [(log_probs.tolist(), mask.tolist()) for log_probs, mask in rows]
    return seen


def state_of(worker):
    if worker.teacher.state_dict().get("shards") is not None:
        return state(worker)
    return {("student", name): p.detach().to_local().clone() for name, p in worker.engine.module.named_parameters()}


@pytest.fixture(scope="module")
def steps(ranks, models):
    return ranks.run(broken_steps, models["untied"])


@WORLDS
@pytest.mark.parametrize("case", CASES)
def test_the_step_is_bit_for_bit_that_of_responses_without_these_tokens(steps, case, world):
    for rank in steps[world]:
        difference, moved, metrics, expected = rank[case]
        assert difference == set()
        assert "student" in moved
        assert moved == EVERYTHING or "ema" not in case
        assert metrics["self_distillation/num_optimizer_steps"] == CASES[case][1]
        assert torch.tensor(metrics["self_distillation/loss"]).isfinite().all()
        assert metrics["self_distillation/loss"] == expected["self_distillation/loss"]
        assert metrics["self_distillation/divergence"] == expected["self_distillation/divergence"]


@WORLDS
@pytest.mark.parametrize("case", CASES)
def test_the_tokens_of_all_ranks_are_counted(steps, case, world):
    for rank in steps[world]:
        _, _, metrics, expected = rank[case]
        times_spoken = 2 if case == "live" else 1
        assert metrics["self_distillation/nonfinite_teacher_tokens"] == NUM_BROKEN * times_spoken
        assert expected["self_distillation/nonfinite_teacher_tokens"] == 0


@WORLDS
def test_a_teacher_that_is_broken_everywhere_moves_nothing_and_is_counted(steps, world):
    for rank in steps[world]:
        moved, metrics = rank["everywhere"]
        assert moved == set()
        assert metrics["self_distillation/skipped_updates"] == 2
        num_tokens = sum(sum(sample.mask) for sample in SAMPLES if sample.has_target)
        assert metrics["self_distillation/nonfinite_teacher_tokens"] == num_tokens


@WORLDS
def test_as_an_estimator_it_gives_these_tokens_no_advantage(steps, world):
    answers = [None] * len(SAMPLES)
    for rank, seen in enumerate(steps[world]):
        answers[rank::world] = seen["estimator"]
    for sample, kept, (log_probs, mask) in zip(SAMPLES, without_broken_places(SAMPLES), answers, strict=True):
        expected = kept.mask if sample.has_target else [0] * len(sample.mask)
        assert mask == expected
        assert all(map(math.isfinite, log_probs))
        assert [value != 0.0 for value in log_probs] == [own == 1 for own in expected]
