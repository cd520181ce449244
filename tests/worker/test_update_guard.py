# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A loss or gradient that is not finite, on one rank of several, in one mini-batch of several, moves nothing."""

import contextlib
import math
from unittest import mock

import pytest

from tests.worker.engine_case import make_worker
from tests.worker.test_sdpo_worker import (
    EVERYTHING,
    OPTIMIZER,
    OPTIONS,
    TARGETS,
    WORLDS,
    changed,
    new_worker,
    state,
    step,
)

HALF = len(TARGETS) // 2
VALUES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
BROKEN = [(kind, value) for kind in ("loss", "gradient") for value in VALUES]
PLANS = {"both": {0, 1}, "the first": {0}, "the last": {1}}


def one_by_one(path):
    """A worker whose sums do not depend on which samples are run together."""
    return make_worker(path, options=OPTIONS, optimizer=OPTIMIZER, micro_batch_size=1)


def break_updates(worker, kind, value, mini_batches, is_mine):
    """From now on these mini-batches of a step, by number, have a loss or a gradient of that value on this rank.

    The gradient of such a loss stays finite, and the loss of such a gradient too. Returns what undoes it.
    """
    engine, made = worker.engine, []
    run, make_loss = engine.forward_backward_batch, worker.loss_fn.scalar

    def scalar(*args, **kwargs):
        loss, metrics = make_loss(*args, **kwargs)
        is_hit = kind == "loss" and is_mine and len(made) in mini_batches
        return loss + (VALUES[value] if is_hit else 0.0), metrics

    def forward_backward_batch(*args, **kwargs):
        outputs = run(*args, **kwargs)
        if kind == "gradient" and is_mine and len(made) in mini_batches:
            gradients = [p.grad.to_local() for p in engine.module.parameters()]
            next(gradient for gradient in gradients if gradient.numel()).view(-1)[0] = VALUES[value]
        made.append(None)
        return outputs

    engine.forward_backward_batch, worker.loss_fn.scalar = forward_backward_batch, scalar

    def undo():
        del engine.forward_backward_batch, worker.loss_fn.scalar

    return undo


def steps_with_broken_updates(rank, world, path):
    """By (kind, value, plan): the state before, after, the metrics; and after a step that has the good half only."""
    worker, reference = (one_by_one(path) for _ in range(2))
    for each in (worker, reference):
        step(each, TARGETS, rank, world)
    start = {key: value.clone() for key, value in state(worker).items()}
    assert changed(start, state(reference)) == set()
    seen = {}
    for kind, value in BROKEN:
        undo = break_updates(worker, kind, value, PLANS["both"], is_mine=rank == world - 1)
        metrics = step(worker, TARGETS, rank, world, mini_batch_size=HALF)
        undo()
        seen[kind, value, "both"] = (changed(start, state(worker)), metrics)
    for kind, value, plan in (
        ("loss", "nan", "the first"),
        ("gradient", "inf", "the last"),
        ("loss", "inf", "the last"),
    ):
        undo = break_updates(worker, kind, value, PLANS[plan], is_mine=rank == world - 1)
        before = state(worker)
        metrics = step(worker, TARGETS, rank, world, mini_batch_size=HALF)
        undo()
        good = TARGETS[HALF:] if plan == "the first" else TARGETS[:HALF]
        step(reference, good, rank, world, mini_batch_size=HALF)
        differs = changed(state(reference), state(worker))
        seen[kind, value, plan] = (differs, changed(before, state(worker)), metrics)
    return seen


@pytest.fixture(scope="module")
def broken(ranks, models):
    return ranks.run(steps_with_broken_updates, models["untied"])


@WORLDS
@pytest.mark.parametrize(("kind", "value"), BROKEN)
def test_a_step_of_which_no_update_is_finite_leaves_every_bit_as_it_was(broken, world, kind, value):
    for rank in broken[world]:
        moved, metrics = rank[kind, value, "both"]
        assert moved == set()
        assert metrics["self_distillation/nonfinite_updates"] == 2
        assert metrics["self_distillation/num_optimizer_steps"] == 0
        assert metrics["self_distillation/skipped_updates"] == 0
        assert not any(map(math.isfinite, metrics["grad_norm"]))
        # What the logger shows as the rate of this step is the one that the next step will use.
        assert math.isfinite(metrics["lr"][-1])


@WORLDS
@pytest.mark.parametrize(
    ("kind", "value", "plan"),
    [("loss", "nan", "the first"), ("gradient", "inf", "the last"), ("loss", "inf", "the last")],
)
def test_beside_a_broken_mini_batch_the_other_moves_all_as_if_it_were_alone(broken, world, kind, value, plan):
    for rank in broken[world]:
        differs, moved, metrics = rank[kind, value, plan]
        assert differs == set()
        assert moved == EVERYTHING
        assert metrics["self_distillation/nonfinite_updates"] == 1
        assert metrics["self_distillation/num_optimizer_steps"] == 1


def test_the_guard_leaves_the_engine_as_it_was(ranks, models):
    for rank in ranks.run(engine_after_a_step, models["untied"])[2]:
        assert rank == []


def engine_after_a_step(rank, world, path):
    worker = new_worker(path)
    step(worker, TARGETS, rank, world)
    return [
        name
        for name in ("forward_backward_batch", "optimizer_step", "lr_scheduler_step")
        if name in vars(worker.engine)
    ]


def test_a_scheduler_without_the_guard_would_have_gone_on(ranks, models):
    """What is guarded against: verl's worker steps the schedule after an update that was not made."""
    for rank in ranks.run(verls_own_step, models["untied"])[1]:
        assert rank == {"schedule"}


def verls_own_step(rank, world, path):
    worker = new_worker(path)
    step(worker, TARGETS, rank, world)
    before = state(worker)
    break_updates(worker, "gradient", "nan", {0}, is_mine=True)
    with mock.patch("verl_sdpo.worker.sdpo_worker.guarded_update", return_value=contextlib.nullcontext()):
        step(worker, TARGETS, rank, world)
    return changed(before, state(worker))
