# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A rank that runs out of memory says in which pass, and names the keys of the run that make that pass smaller."""

from types import SimpleNamespace
from unittest import mock

import pytest
import torch

from tests.worker.engine_case import batch_of, make_worker
from tests.worker.test_sdpo_worker import OPTIMIZER, TARGETS, changed, state, step
from verl_sdpo.worker.memory import OutOfMemoryError, told_of_memory

REPROMPT = "actor_rollout_ref.actor.self_distillation.max_reprompt_len=777"
FORWARD_KEY, UPDATE_KEY = (
    "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=2",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2",
)
PASSES = {
    "teacher": "the teacher's pass",
    "update": "the update of the student",
    "log-probabilities": "the pass for log-probabilities",
}
CUDA_TEXT = "CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation"
SIZES = {
    "micro_batch_size_per_gpu": 2,
    "infer_micro_batch_size_per_gpu": 3,
    "max_token_len_per_gpu": 4000,
    "infer_max_token_len_per_gpu": 5000,
}


def no_room(*args, **kwargs):
    raise torch.OutOfMemoryError(CUDA_TEXT)


def passes_without_room(rank, world, path):
    """What is raised by each pass of a worker whose device has no room for it, and what it changed."""
    seen = {}
    for teacher in ("ema", "trust_region", "live"):
        options = {"teacher_regularization": teacher, "max_reprompt_len": 777, "distillation_topk": 7}
        worker = make_worker(path, options=options, optimizer=OPTIMIZER)
        before = state(worker) if teacher == "ema" else None
        batch = batch_of(TARGETS[rank::world], world=world, compute_loss=False)
        passes = {
            "teacher": ("forward_step", lambda worker=worker: step(worker, TARGETS, rank, world)),
            "update": ("forward_backward_batch", lambda worker=worker: step(worker, TARGETS, rank, world)),
            "log-probabilities": ("forward_step", lambda worker=worker, batch=batch: worker.infer_batch(batch)),
        }
        for name, (method, run) in passes.items():
            with mock.patch.object(worker.engine, method, no_room):
                try:
                    run()
                except Exception as error:
                    seen[teacher, name] = (type(error).__name__, str(error), type(error.__cause__).__name__)
        if before is not None:
            seen["moved"] = changed(before, state(worker))
    return seen


@pytest.fixture(scope="module")
def told(ranks, models):
    return ranks.run(passes_without_room, models["untied"])[2]


@pytest.mark.parametrize("teacher", ["ema", "trust_region", "live"])
@pytest.mark.parametrize(
    ("name", "told_keys", "others"),
    [
        ("teacher", [FORWARD_KEY, REPROMPT, "data.max_response_length"], [UPDATE_KEY]),
        ("update", [UPDATE_KEY, "data.max_response_length"], [FORWARD_KEY, REPROMPT]),
        ("log-probabilities", [FORWARD_KEY, "data.max_response_length"], [UPDATE_KEY, REPROMPT]),
    ],
)
def test_a_pass_that_does_not_fit_names_itself_and_its_keys(told, teacher, name, told_keys, others):
    for rank in told:
        kind, text, cause = rank[teacher, name]
        assert (kind, cause) == ("OutOfMemoryError", "OutOfMemoryError")
        assert text.startswith(f"{PASSES[name]} ran out of memory: lower ")
        assert all(key in text for key in told_keys)
        assert not any(key in text for key in others)
        assert text.endswith("CUDA out of memory. Tried to allocate 2.00 GiB.")
        assert "\n" not in text


def test_a_step_that_did_not_fit_has_moved_nothing(told):
    assert [rank["moved"] for rank in told] == [set(), set()]


@pytest.mark.parametrize(
    ("forward_only", "is_dynamic", "key"),
    [
        (True, False, "rollout.log_prob_micro_batch_size_per_gpu=3"),
        (True, True, "rollout.log_prob_max_token_len_per_gpu=5000"),
        (False, False, "actor.ppo_micro_batch_size_per_gpu=2"),
        (False, True, "actor.ppo_max_token_len_per_gpu=4000"),
    ],
)
def test_the_key_is_the_one_that_sizes_the_micro_batches_with_its_value(compose, forward_only, is_dynamic, key):
    config = SimpleNamespace(use_dynamic_bsz=is_dynamic, **SIZES)
    told = pytest.raises(OutOfMemoryError, match=f"the pass ran out of memory: lower actor_rollout_ref.{key} or ")
    with told, told_of_memory("the pass", config, forward_only=forward_only):
        no_room()
    # It is a key of the run's configuration.
    section, name = key.partition("=")[0].split(".")
    assert name in compose("sdpo_trainer_cpu").actor_rollout_ref[section]


def within(what="the pass", **settings):
    config = SimpleNamespace(use_dynamic_bsz=False, **SIZES)
    return told_of_memory(what, config, **{"forward_only": True} | settings)


def test_the_allocator_of_the_cpu_is_understood_too():
    with pytest.raises(OutOfMemoryError, match="the pass ran out of memory"), within():
        torch.empty(2**60, dtype=torch.int8)


def test_other_errors_stay_what_they_are_and_a_pass_within_another_is_told_once():
    with pytest.raises(RuntimeError, match="^shapes differ$") as other, within():
        raise RuntimeError("shapes differ")
    assert type(other.value) is RuntimeError
    told = pytest.raises(OutOfMemoryError, match="^the teacher's pass ran out of memory")
    with told, within("the update", forward_only=False), within("the teacher's pass"):
        no_room()
