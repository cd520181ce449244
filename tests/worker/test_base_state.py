# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A worker that returns to its base is what it was there, bit for bit, and goes on from there as the first time."""

import random

import numpy as np
import pytest
import torch

from tests.worker.engine_case import make_worker
from tests.worker.test_sdpo_worker import EVERYTHING, OPTIMIZER, TARGETS, WORLDS, changed, state, step

TEACHERS = {
    "ema": {"teacher_update_rate": 0.25},
    "frozen": {"teacher_regularization": "frozen"},
    "trust_region": {"teacher_regularization": "trust_region", "trust_region_mix": 0.1},
}


def draws():
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def several_questions(rank, world, path, options):
    """At the start and after each of three returns: the state, a digest, draws; in between two training steps."""
    worker = make_worker(path, options={"distillation_topk": 7} | options, optimizer=OPTIMIZER)
    start, before = worker.remember_base(3), state(worker)
    seen = [{"digest": start, "changed": set(), "draws": draws()}]
    for _ in range(3):
        step(worker, TARGETS, rank, world)
        step(worker, TARGETS, rank, world)
        draws()
        trained, moved = state(worker), worker._base.digest_now()
        digest = worker.return_to_base()
        found = {"digest": digest, "changed": changed(before, state(worker)), "draws": draws()}
        seen.append(found | {"moved": moved, "learned": changed(before, trained), "trained": trained})
    return seen


@pytest.fixture(scope="module", params=TEACHERS)
def case(request, ranks, models):
    return request.param, ranks.run(several_questions, models["untied"], TEACHERS[request.param])


@WORLDS
def test_after_each_question_everything_is_bit_equal_to_the_start(case, world):
    for rank in case[1][world]:
        assert [entry["changed"] for entry in rank] == [set()] * 4
        assert len({entry["digest"] for entry in rank}) == 1
        # Of the generators too: the same numbers are drawn.
        assert len({tuple(entry["draws"]) for entry in rank}) == 1


@WORLDS
def test_in_between_it_had_learned_and_each_time_the_same(case, world):
    kind, results = case
    expected = EVERYTHING if kind == "ema" else EVERYTHING - {"teacher"}
    for rank in results[world]:
        assert all(entry["learned"] == expected for entry in rank[1:])
        assert all(entry["moved"] != entry["digest"] for entry in rank[1:])
        assert all(changed(rank[1]["trained"], entry["trained"]) == set() for entry in rank[2:])


@WORLDS
def test_ranks_draw_different_numbers(case, world):
    drawn = {tuple(rank[0]["draws"]) for rank in case[1][world]}
    assert len(drawn) == world


def digests(rank, world, path):
    """The digest sees a change of one weight's last bit, of the optimizer, the schedule, the teacher, a generator."""
    worker = make_worker(path, options={"distillation_topk": 7}, optimizer=OPTIMIZER)
    base = worker.remember_base(0)

    def after(change):
        worker.return_to_base()
        change()
        return worker._base.digest_now()

    @torch.no_grad()
    def flip():
        weight = next(worker.engine.module.parameters()).to_local().view(-1)
        weight[:1] = torch.nextafter(weight[:1], torch.tensor(9.0))

    def teacher():
        worker.teacher.num_updates += 1

    def rate():
        worker.engine.optimizer.param_groups[0]["lr"] += 0.5

    changes = [flip, teacher, rate, worker.engine.lr_scheduler.step, draws]
    return base, [after(change) for change in changes], worker.return_to_base()


@WORLDS
def test_the_digest_sees_every_part(ranks, models, world):
    for base, others, back in ranks.run(digests, models["untied"])[world]:
        assert back == base
        assert len({base, *others}) == 6
