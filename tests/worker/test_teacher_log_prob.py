# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What SDPO as an advantage estimator asks of the worker: the teacher's log-probabilities of the sampled tokens."""

import dataclasses
from unittest import mock

import pytest
import torch

from tests.worker.engine_case import batch_of, make_samples, make_worker, other_weights, plain_model, set_teacher
from tests.worker.test_teacher_pass import in_order, plain_logits

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
# Tool results in the middle; the fourth sample's tokens were all rejected; the second and the fifth have no target.
MASKS = [[1, 1, 1], [1] * 6, [1, 0, 0, 1, 1], [0, 0], [1], [0, 1, 1, 1], [1] * 7, [1, 1, 0]]
SAMPLES = make_samples(MASKS, [1, 0, 1, 1, 0, 1, 1, 1])
NO_TARGETS = [dataclasses.replace(sample, has_target=False) for sample in SAMPLES]
TEMPERATURE = 0.7
CASES = {
    "all tokens": (SAMPLES, 0, 1024),
    "in small pieces": (SAMPLES, 0, 2),
    "without the first two": (SAMPLES, 2, 1024),
    "no target": (NO_TARGETS, 0, 1024),
}


def ask(rank, world, path):
    from verl.utils import tensordict_utils as tu

    from verl_sdpo.worker import teacher_pass

    seen = {}
    for name, (samples, skipped, chunk_rows) in CASES.items():
        worker = make_worker(path, options={"teacher_update_rate": 0.0, "skip_first_tokens": skipped})
        set_teacher(worker, other_weights(path))
        batch = batch_of(samples[rank::world], world=world, temperature=TEMPERATURE)
        with mock.patch.object(teacher_pass, "_CHUNK_ROWS", chunk_rows):
            output = worker.compute_teacher_log_prob(batch)
        columns = [tu.get(output, name).unbind() for name in ("teacher_log_probs", "teacher_target_mask")]
        seen[name] = [(log_probs.clone(), mask.clone()) for log_probs, mask in zip(*columns, strict=True)]
    return seen


@pytest.fixture(scope="module")
def asked(ranks, models):
    return ranks.run(ask, models["untied"])


@pytest.fixture(scope="module")
def teacher(models):
    model = plain_model(models["untied"])
    model.load_state_dict(other_weights(models["untied"]))
    return model


@WORLDS
@pytest.mark.parametrize("name", CASES)
def test_they_are_those_of_a_plain_model_at_the_rollouts_temperature(asked, teacher, name, world):
    samples, skipped, _ = CASES[name]
    answers = in_order([rank[name] for rank in asked[world]])
    for sample, (log_probs, mask) in zip(samples, answers, strict=True):
        own = [place for place, is_own in enumerate(sample.mask) if is_own]
        counted = own[skipped:] if sample.has_target else []
        assert mask.nonzero().squeeze(-1).tolist() == counted
        expected = torch.zeros(len(sample.response))
        if counted:
            every = (plain_logits(teacher, sample).double() / TEMPERATURE).log_softmax(-1)[skipped:]
            tokens = torch.tensor([sample.response[place] for place in counted])
            expected[counted] = every.gather(-1, tokens[:, None]).squeeze(-1).float()
        torch.testing.assert_close(log_probs, expected, rtol=1e-4, atol=1e-4)


def test_some_tokens_have_something_to_compare(asked):
    assert sum(int(mask.sum()) for _, mask in asked[1][0]["all tokens"]) > 15
    assert sum(int(mask.sum()) for _, mask in asked[1][0]["no target"]) == 0
