# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of teacher in verl's worker: what it says, when it changes, and what a checkpoint keeps."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from tests.worker.engine_case import (
    batch_of,
    make_samples,
    make_worker,
    metrics_of,
    other_weights,
    plain_model,
    set_student,
)
from tests.worker.test_teacher_pass import in_order, plain_logits, teacher_logits
from verl_sdpo.config.self_distillation import TEACHERS

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
MASKS = [[1, 1, 1], [1] * 5, [1, 0, 1], [1, 1], [1, 1, 1, 1], [1] * 6, [1, 1, 0], [1]]
SAMPLES = make_samples(MASKS, [1] * len(MASKS))
# Two mini-batches. In the second the teacher reads what the student reads: only weights can make them differ.
HALF = len(SAMPLES) // 2
MINI_BATCHES = SAMPLES[:HALF] + [dataclasses.replace(sample, teacher_prompt=sample.prompt) for sample in SAMPLES[HALF:]]
RATE, MIX = 0.25, 0.3
OPTIMIZER = {"lr": 0.02, "clip_grad": 1.0}


def options(kind, small):
    chosen = {"teacher_regularization": kind, "distillation_topk": 7, "teacher_update_rate": RATE}
    if kind == "trust_region":
        chosen["trust_region_mix"] = MIX
    if kind == "external":
        chosen["external_teacher_path"] = str(small)
    return chosen


def use_every_kind(rank, world, path, small, directory):
    """By kind: what the teacher says after the student has moved and been followed, and after a resume."""
    seen = {}
    for kind in TEACHERS:
        worker = make_worker(path, options=options(kind, small))
        set_student(worker, other_weights(path))
        worker.teacher.update()
        seen[kind] = {"logits": teacher_logits(worker, SAMPLES[rank::world], 2, None)}
        seen[kind]["uneven"] = teacher_logits(worker, SAMPLES if rank == 0 else [], 2, None)
        folder = f"{directory}/{world}/{kind}"
        worker.save_checkpoint(folder, global_step=1)
        resumed = make_worker(path, options=options(kind, small))
        resumed.load_checkpoint(folder)
        seen[kind]["resumed"] = teacher_logits(resumed, SAMPLES[rank::world], 2, None)
        seen[kind]["num_updates"] = resumed.teacher.num_updates
        seen[kind]["refusal"] = refusal(path, small, next_kind(kind), folder)
    return seen


def refusal(path, small, kind, folder):
    """What a teacher of this kind says to the checkpoint of another."""
    worker = make_worker(path, options=options(kind, small))
    try:
        worker.load_checkpoint(folder)
    except ValueError as error:
        return str(error)


def next_kind(kind):
    return TEACHERS[(TEACHERS.index(kind) + 1) % len(TEACHERS)]


@pytest.fixture(scope="module")
def by_kind(ranks, models, tmp_path_factory):
    return ranks.run(use_every_kind, models["untied"], models["small"], tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def definitions(models):
    """By kind, per sample `(num_counted_tokens, vocab)` log-probabilities of plain models."""
    base, student = plain_model(models["untied"]), plain_model(models["untied"])
    moved = other_weights(models["untied"])
    student.load_state_dict(moved)
    average = plain_model(models["untied"])
    average.load_state_dict({n: (1 - RATE) * p + RATE * moved[n] for n, p in base.named_parameters()})
    external = plain_model(models["small"])

    def said(model):
        return [plain_logits(model, sample).double().log_softmax(-1) for sample in SAMPLES]

    mixed = [((1 - MIX) * r + MIX * s).softmax(-1).log() for r, s in zip(said(base), said(student), strict=True)]
    return {
        "ema": said(average),
        "frozen": said(base),
        "live": said(student),
        "trust_region": mixed,
        "external": said(external),
    }


@WORLDS
@pytest.mark.parametrize("kind", TEACHERS)
@pytest.mark.parametrize("when", ["logits", "uneven", "resumed"])
def test_each_teacher_says_what_its_definition_says(by_kind, definitions, kind, when, world):
    said = [rank[kind][when] for rank in by_kind[world]]
    said = said[0] if when == "uneven" else in_order(said)
    for logits, log_probs in zip(said, definitions[kind], strict=True):
        torch.testing.assert_close(logits.double().log_softmax(-1), log_probs, rtol=1e-4, atol=1e-4)


def test_no_two_teachers_say_the_same_here(definitions):
    kinds = list(definitions)
    for number, kind in enumerate(kinds):
        for other in kinds[:number]:
            assert (definitions[kind][0] - definitions[other][0]).abs().max() > 0.01, (kind, other)


@WORLDS
@pytest.mark.parametrize("kind", TEACHERS)
def test_a_checkpoint_of_one_kind_is_refused_by_another(by_kind, kind, world):
    for rank in by_kind[world]:
        assert rank[kind]["num_updates"] == 1
        assert f"teacher_regularization={next_kind(kind)!r}" in rank[kind]["refusal"]
        assert f"kind {kind!r}" in rank[kind]["refusal"]
        assert "trainer.resume_mode=disable" in rank[kind]["refusal"]


def train_with_every_kind(rank, world, path, small):
    """Two mini-batches in one step; the divergence that each of them sees."""
    seen = {}
    for kind in TEACHERS:
        worker = make_worker(path, options=options(kind, small), optimizer=OPTIMIZER)
        batch = batch_of(MINI_BATCHES[rank::world], world=world, mini_batch_size=HALF)
        metrics = metrics_of(worker.train_mini_batch(batch))
        seen[kind] = [float(value) for value in metrics["self_distillation/divergence"]]
        seen[kind, "distance"] = metrics.get("self_distillation/teacher_distance")
        seen[kind, "seconds"] = metrics["self_distillation/teacher_seconds"]
    return seen


@pytest.fixture(scope="module")
def trained(ranks, models):
    return ranks.run(train_with_every_kind, models["untied"], models["small"])


@WORLDS
def test_a_live_teacher_is_the_student_in_every_mini_batch(trained, world):
    for rank in trained[world]:
        assert rank["live"][1] == pytest.approx(0.0, abs=1e-6)
        # One that is listened to once a step says what it said before the student moved.
        assert rank["ema"][1] == pytest.approx(rank["frozen"][1], rel=1e-4)
        assert rank["ema"][1] > 1e-3


@WORLDS
def test_a_trust_region_follows_the_student_within_a_step_by_its_share(trained, world):
    for rank in trained[world]:
        assert rank["trust_region"][0] == pytest.approx(rank["frozen"][0], rel=1e-4)
        assert 0.1 * rank["frozen"][1] < rank["trust_region"][1] < 0.9 * rank["frozen"][1]


@WORLDS
@pytest.mark.parametrize("kind", TEACHERS)
def test_two_ranks_see_what_one_sees(trained, kind, world):
    for rank in trained[world]:
        assert rank[kind] == pytest.approx(trained[1][0][kind], rel=1e-3, abs=1e-6)


@WORLDS
def test_the_distance_is_logged_where_it_has_a_meaning(trained, world):
    for rank in trained[world]:
        assert {kind for kind in TEACHERS if rank[kind, "distance"] is not None} == {"ema", "frozen", "trust_region"}
        assert all(rank[kind, "distance"] > 0 for kind in ("ema", "frozen", "trust_region"))
        assert all(rank[kind, "seconds"] > 0 for kind in TEACHERS)


def refuse_another_vocabulary(rank, world, path, wordy):
    try:
        make_worker(path, options=options("external", wordy))
    except ValueError as error:
        return str(error)


def test_an_external_teacher_with_another_vocabulary_is_refused(ranks, models):
    for results in ranks.run(refuse_another_vocabulary, models["untied"], models["wordy"]).values():
        for message in results:
            assert "external_teacher_path=" in message
            assert "64 ids" in message
            assert "61" in message


def watch_modes(rank, world, path):
    """By kind, who ran in each forward pass of a step; the mode of all parts of the module and gradients tell."""
    names = {(frozenset({True}), True): "student", (frozenset({False}), False): "teacher"}
    seen = {}
    for kind in ("ema", "live", "trust_region"):
        worker = make_worker(path, options=options(kind, None), optimizer=OPTIMIZER, micro_batch_size=HALF // world)
        seen[kind] = []

        def look(module, _, passes=seen[kind]):
            passes.append(names.get((frozenset(part.training for part in module.modules()), torch.is_grad_enabled())))

        worker.engine.module.register_forward_pre_hook(look)
        worker.train_mini_batch(batch_of(SAMPLES[rank::world], world=world, mini_batch_size=HALF))
    return seen


@pytest.fixture(scope="module")
def modes(ranks, models):
    return ranks.run(watch_modes, models["untied"])


@WORLDS
def test_within_a_step_the_teacher_speaks_in_evaluation_mode_and_the_student_learns_in_training_mode(modes, world):
    for rank in modes[world]:
        assert rank["ema"] == ["teacher"] * 2 + ["student"] * 2
        assert rank["live"] == ["teacher", "student"] * 2
        assert rank["trust_region"] == ["teacher", "teacher", "student"] * 2


# --- without an engine -----------------------------------------------------------------------------------------------


class TinyHead(torch.nn.Linear):
    """A model that is its own output head."""

    def get_output_embeddings(self):
        return self


def test_the_options_of_the_average_and_of_the_trust_region_reach_their_teachers():
    from verl_sdpo.config import SelfDistillationConfig
    from verl_sdpo.worker.teacher_choice import build_teacher

    worker = SimpleNamespace(engine=SimpleNamespace(module=TinyHead(2, 3)))
    average = {"teacher_update_rate": 0.3, "teacher_update_every": 5, "teacher_warmup_steps": 7}
    teacher = build_teacher(SelfDistillationConfig.from_flat(average), worker)
    assert (teacher.rate, teacher.every, teacher.warmup_steps) == (0.3, 5, 7)
    region = {"teacher_regularization": "trust_region", "trust_region_mix": 0.2}
    teacher = build_teacher(SelfDistillationConfig.from_flat(region), worker)
    assert [voice.weight for voice in teacher.voices()] == pytest.approx([0.8, 0.2])
