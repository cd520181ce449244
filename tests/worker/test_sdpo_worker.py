# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""When the student, its optimizer and its teacher move in a training step, and what a checkpoint brings back."""

import dataclasses
import os
from unittest import mock

import pytest
import torch

from tests.worker.engine_case import actor_config, batch_of, make_samples, make_worker, metrics_of

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
RATE = 0.25
# Weight decay and momentum move weights without a gradient; the warm-up changes the learning rate at every step.
OPTIMIZER = {"lr": 0.02, "weight_decay": 0.1, "lr_warmup_steps": 20, "clip_grad": 1.0}
OPTIONS = {"distillation_topk": 7, "teacher_update_rate": RATE}
MASKS = [[1, 1, 1], [1] * 5, [1, 0, 1], [1, 1], [1, 1, 1, 1], [1] * 6, [1, 1, 0], [1]]
TARGETS = make_samples(MASKS, [1, 1, 0, 1, 1, 0, 1, 1])
NO_TARGETS = [dataclasses.replace(sample, has_target=False) for sample in TARGETS]
# The trainer chose targets; rejection sampling has taken their tokens out since.
REJECTED = [dataclasses.replace(sample, mask=[0] * len(sample.mask)) for sample in TARGETS]


def new_worker(path):
    return make_worker(path, options=OPTIONS, optimizer=OPTIMIZER)


def step(worker, samples, rank, world, **settings):
    """One training step on this rank's part of the samples; its metrics."""
    return metrics_of(worker.train_mini_batch(batch_of(samples[rank::world], world=world, **settings)))


def state(worker):
    """Copies of all that a step may move, of this rank: student, optimizer, schedule, teacher."""
    engine, found = worker.engine, {}
    for name, p in engine.module.named_parameters():
        found["student", name] = p.detach().to_local().clone()
        for key, value in engine.optimizer.state[p].items():
            found[key, name] = (value.to_local() if hasattr(value, "to_local") else value).clone()
    found["schedule"] = torch.tensor([engine.lr_scheduler.last_epoch, engine.lr_scheduler.get_last_lr()[0]])
    for name, shard in worker.teacher.state_dict()["shards"].items():
        found["teacher", name] = shard.clone()
    found["num_updates"] = torch.tensor(worker.teacher.num_updates)
    return found


def changed(before, after):
    """What kinds of state differ: 'student', 'exp_avg', 'schedule', 'teacher', ..."""
    names = before.keys() | after.keys()
    is_same = lambda name: name in before and name in after and torch.equal(before[name], after[name])  # noqa: E731
    return {name[0] if isinstance(name, tuple) else name for name in names if not is_same(name)}


EVERYTHING = {"student", "exp_avg", "exp_avg_sq", "step", "schedule", "teacher", "num_updates"}


def steps_without_targets(rank, world, path):
    worker = new_worker(path)
    step(worker, TARGETS, rank, world)
    seen = {}
    for name, samples in (("no target", NO_TARGETS), ("rejected", REJECTED)):
        before = state(worker)
        metrics = step(worker, samples, rank, world, mini_batch_size=4)
        seen[name] = (changed(before, state(worker)), metrics)
    # A step with targets still does what it should.
    before = state(worker)
    step(worker, TARGETS, rank, world)
    seen["targets"] = changed(before, state(worker))
    # And this is what a zero gradient would have done.
    before = state(worker)
    for p in worker.engine.module.parameters():
        p.grad = torch.zeros_like(p)
    worker.engine.optimizer.step()
    seen["zero gradient"] = changed(before, state(worker))
    return seen


@pytest.fixture(scope="module")
def without_targets(ranks, models):
    return ranks.run(steps_without_targets, models["untied"])


@WORLDS
@pytest.mark.parametrize("samples", ["no target", "rejected"])
def test_a_step_in_which_nobody_has_a_target_moves_nothing_and_says_so(without_targets, samples, world):
    for rank in without_targets[world]:
        moved, metrics = rank[samples]
        assert moved == set()
        assert metrics["self_distillation/num_optimizer_steps"] == 0
        assert metrics["self_distillation/skipped_updates"] == 2
        # verl's trainer takes this one out of what it gets.
        assert "mfu" in metrics


@WORLDS
def test_a_zero_gradient_would_have_moved_the_student(without_targets, world):
    for rank in without_targets[world]:
        assert {"student", "exp_avg"} <= rank["zero gradient"]
        assert rank["targets"] == EVERYTHING


def steps_with_several_mini_batches(rank, world, path):
    """Mini-batches of four samples: two a pass. The samples that a rank holds are dealt out in turn."""
    worker = new_worker(path)
    half = len(TARGETS) // 2
    plans = {
        "two epochs": (TARGETS, {"epochs": 2}),
        "nothing in the first": (NO_TARGETS[:half] + TARGETS[half:], {}),
        "nothing in the last": (TARGETS[:half] + NO_TARGETS[half:], {}),
    }
    seen = {}
    for name, (samples, settings) in plans.items():
        before = state(worker)
        metrics = step(worker, samples, rank, world, mini_batch_size=half, **settings)
        seen[name] = (before, state(worker), metrics)
    return seen


@pytest.fixture(scope="module")
def several_mini_batches(ranks, models):
    return ranks.run(steps_with_several_mini_batches, models["untied"])


@WORLDS
@pytest.mark.parametrize(
    ("plan", "num_steps"), [("two epochs", 4), ("nothing in the first", 1), ("nothing in the last", 1)]
)
def test_the_teacher_and_the_schedule_move_once_a_step_however_many_mini_batches_there_are(
    several_mini_batches, plan, num_steps, world
):
    for rank in several_mini_batches[world]:
        before, after, metrics = rank[plan]
        assert metrics["self_distillation/num_optimizer_steps"] == num_steps
        assert after["num_updates"] == before["num_updates"] + 1
        assert after["schedule"][0] == before["schedule"][0] + 1
        for kind, name in [key for key in after if key[0] == "teacher"]:
            expected = (1 - RATE) * before[kind, name].double() + RATE * after["student", name].double()
            torch.testing.assert_close(after[kind, name].double(), expected, rtol=1e-6, atol=1e-6)
        for key in [key for key in after if key[0] == "step"]:
            assert after[key] == before.get(key, 0) + num_steps


@WORLDS
def test_a_mini_batch_without_a_target_is_counted_beside_one_that_has_some(several_mini_batches, world):
    for rank in several_mini_batches[world]:
        counts = {name: metrics["self_distillation/skipped_updates"] for name, (_, _, metrics) in rank.items()}
        assert counts == {"two epochs": 0, "nothing in the first": 1, "nothing in the last": 1}
        for _, _, metrics in rank.values():
            assert torch.tensor(metrics["self_distillation/loss"]).isfinite().all()


def step_with_a_broken_teacher(rank, world, path):
    worker = new_worker(path)
    step(worker, TARGETS, rank, world)
    shards = {name: shard.clone() for name, shard in worker.teacher.state_dict()["shards"].items()}
    broken = {name: shard * float("nan") for name, shard in shards.items()}
    saved = worker.teacher.state_dict()
    worker.teacher.load_state_dict(saved | {"shards": broken})
    before = state(worker)
    metrics = step(worker, TARGETS, rank, world)
    after = state(worker)
    worker.teacher.load_state_dict(saved | {"shards": shards})
    mended = step(worker, TARGETS, rank, world)
    return before, after, metrics, mended


@pytest.fixture(scope="module")
def broken_teacher(ranks, models):
    return ranks.run(step_with_a_broken_teacher, models["untied"])


@WORLDS
def test_a_teacher_that_is_not_finite_moves_nothing(broken_teacher, world):
    for before, after, metrics, mended in broken_teacher[world]:
        of_interest = [key for key in before if key[0] in ("student", "exp_avg", "exp_avg_sq", "step")] + ["schedule"]
        assert all(torch.equal(before[key], after[key]) for key in of_interest)
        assert before["num_updates"] == after["num_updates"]
        assert all(torch.isnan(after[key]).all() for key in after if key[0] == "teacher")
        assert metrics["self_distillation/num_optimizer_steps"] == 0
        assert metrics["self_distillation/nonfinite_teacher_tokens"] > 0
        # The step after it is an ordinary one.
        assert mended["self_distillation/num_optimizer_steps"] == 1
        assert torch.isfinite(torch.tensor(mended["grad_norm"])).all()


def save_and_resume(rank, world, path, directory):
    """Save after a step; go on; resume in a new worker and go on again."""
    directory = f"{directory}/{world}"
    worker = new_worker(path)
    step(worker, TARGETS, rank, world)
    worker.save_checkpoint(directory, global_step=1)
    seen = {
        "files": sorted(name for name in os.listdir(directory) if name.startswith("teacher")),
        "saved": state(worker),
    }
    step(worker, TARGETS[::-1], rank, world)
    seen["went on"] = state(worker)
    resumed = new_worker(path)
    resumed.load_checkpoint(directory)
    seen["resumed"] = state(resumed)
    step(resumed, TARGETS[::-1], rank, world)
    seen["resumed and went on"] = state(resumed)
    # A checkpoint of plain verl, or of another number of ranks.
    torch.distributed.barrier()
    os.remove(f"{directory}/teacher_world_size_{world}_rank_{rank}.pt")
    try:
        new_worker(path).load_checkpoint(directory)
        seen["refused"] = None
    except FileNotFoundError as error:
        seen["refused"] = str(error)
    return seen


@pytest.fixture(scope="module")
def checkpoint(ranks, models, tmp_path_factory):
    return ranks.run(save_and_resume, models["untied"], tmp_path_factory.mktemp("checkpoint"))


@WORLDS
def test_a_checkpoint_has_a_teacher_for_every_rank_and_brings_it_back_bit_for_bit(checkpoint, world):
    for rank in checkpoint[world]:
        assert rank["files"] == [f"teacher_world_size_{world}_rank_{number}.pt" for number in range(world)]
        assert changed(rank["saved"], rank["resumed"]) == set()
        assert changed(rank["saved"], rank["went on"]) == EVERYTHING


@WORLDS
def test_a_resumed_run_goes_on_exactly_as_the_run_that_was_not_interrupted(checkpoint, world):
    for rank in checkpoint[world]:
        assert changed(rank["went on"], rank["resumed and went on"]) == set()


@WORLDS
def test_a_checkpoint_without_a_teacher_is_refused_with_what_to_do(checkpoint, world):
    for number, rank in enumerate(checkpoint[world]):
        assert f"teacher_world_size_{world}_rank_{number}.pt" in rank["refused"]
        assert "trainer.resume_mode" in rank["refused"]
        assert "actor_rollout_ref.model.path" in rank["refused"]


# --- without an engine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss_mode", "options", "terms", "asked"),
    [
        ("sdpo", {}, {}, (True, True)),
        ("sdpo", {"distillation_weight": 0.5}, {}, (True, False)),
        ("sdpo", {}, {"use_kl_loss": True}, (True, False)),
        ("sdpo", {"distillation_weight": 0.0}, {}, (False, False)),
        # As verl's trainer has set them: the loss is verl's own.
        ("vanilla", {}, {}, (False, False)),
    ],
    ids=["distillation", "hybrid", "with KL", "policy loss", "verl's loss"],
)
def test_the_engine_is_asked_for_logits_where_they_are_distilled_and_nowhere_else(
    monkeypatch, loss_mode, options, terms, asked
):
    from verl.utils import tensordict_utils as tu
    from verl.workers.config import FSDPEngineConfig
    from verl.workers.engine_workers import TrainingWorker

    from verl_sdpo.worker.loss_adapter import SelfDistillationLoss
    from verl_sdpo.worker.sdpo_worker import SdpoTrainingWorker, _mark_targets

    config = actor_config(FSDPEngineConfig(strategy="fsdp2"), options, loss_mode=loss_mode, **terms)
    worker = object.__new__(SdpoTrainingWorker)
    worker._num_moves = worker._num_skipped = worker._num_odd = 0
    worker.teacher = mock.Mock(follows_student=False)
    worker.engine, worker.engine_config = mock.Mock(), None
    worker.distils_in_loss = loss_mode == "sdpo"
    worker.loss_fn = SelfDistillationLoss(config) if worker.distils_in_loss else None
    worker._count_targets = lambda data: (int(data["target_mask"].values().sum()), len(data))
    seen = []

    def train_batch(self, data):
        seen.append(tuple(tu.get(data, key) for key in ("distillation_use_topk", "distillation_only")))
        return tu.get_tensordict({}, {"metrics": {"grad_norm": 1.0}})

    monkeypatch.setattr(TrainingWorker, "train_batch", train_batch)
    # It asks the other ranks, of which there are none here.
    monkeypatch.setattr("verl_sdpo.worker.sdpo_worker.without_idle_samples", lambda data, *_: data)
    data = batch_of(TARGETS)
    _mark_targets(data, skip_first_tokens=0)
    worker.train_batch(data)
    assert seen == [asked]


def test_targets_are_the_response_mask_as_it_is_when_the_student_learns():
    from verl_sdpo.worker.sdpo_worker import _mark_targets

    samples = [
        dataclasses.replace(TARGETS[1], mask=[1, 0, 0, 1, 1]),  # a rejected token, or a tool's answer
        dataclasses.replace(TARGETS[3], mask=[0, 0]),  # everything was rejected
        TARGETS[2],  # never had a target
        dataclasses.replace(TARGETS[7], response=[], mask=[], old_log_probs=[]),
        TARGETS[0],
    ]
    data = batch_of(samples)
    # The agent loop's mask, from before anything was rejected.
    offsets = data["responses"].offsets()
    data["loss_mask"] = torch.nested.nested_tensor_from_jagged(torch.ones(int(offsets[-1])).long(), offsets)
    sequences = _mark_targets(data, skip_first_tokens=0)
    assert data["target_index"].tolist() == [0, -1, -1, -1, 1]
    assert [row.tolist() for row in data["target_mask"].unbind()] == [[1, 0, 0, 1, 1], [0, 0], [0, 0, 0], [], [1, 1, 1]]
    # What was rejected is still read.
    for sequence, sample in zip(sequences, (samples[0], samples[4]), strict=True):
        assert sequence.input_ids.tolist() == sample.teacher_prompt + sample.response
        assert sequence.target_mask.tolist() == sample.mask


# --- samples without a target ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has_target", "lengths", "num_rows", "rows"),
    [
        ([1, 1, 1], [5, 5, 5], 3, [0, 1, 2]),
        ([0, 1, 0, 1], [9, 5, 3, 5], 2, [1, 3]),
        ([0, 1, 0, 1, 0], [9, 5, 3, 5, 4], 4, [1, 2, 3, 4]),
        ([0, 0, 0], [7, 2, 2], 1, [1]),
    ],
)
def test_samples_without_a_target_fill_up_and_the_shortest_do(has_target, lengths, num_rows, rows):
    from verl_sdpo.worker.idle_samples import rows_to_run

    assert rows_to_run([bool(each) for each in has_target], lengths, num_rows) == rows


IDLE = [dataclasses.replace(sample, has_target=index in (3, 4, 6)) for index, sample in enumerate(TARGETS)]


def run_with_idle_samples(rank, world, path):
    """By mini-batch size: how many sequences the student ran in each forward."""
    seen = {}
    for mini_batch_size in (8, 4):
        worker = make_worker(path, options=OPTIONS, optimizer={"lr": 0.0}, micro_batch_size=1)
        forward_step, sizes = worker.engine.forward_step, []

        def counting(micro_batch, *arguments, sizes=sizes, forward_step=forward_step, **more):
            if torch.is_grad_enabled():
                sizes.append(micro_batch["input_ids"].offsets().diff().tolist())
            return forward_step(micro_batch, *arguments, **more)

        worker.engine.forward_step = counting
        samples = [sample for index, sample in enumerate(IDLE) if index % world == rank]
        metrics_of(worker.train_mini_batch(batch_of(samples, world=world, mini_batch_size=mini_batch_size)))
        seen[mini_batch_size] = sizes
    return seen


def test_the_student_runs_no_more_samples_than_the_rank_with_the_most_targets(ranks, models):
    seen = ranks.run(run_with_idle_samples, models["untied"])
    length = lambda index: len(IDLE[index].prompt + IDLE[index].response)  # noqa: E731
    [alone] = seen[1]
    # Those with a target, and nothing else; of the first half there is one.
    assert [size for [size] in alone[8]] == [length(index) for index in (3, 4, 6)]
    assert [size for [size] in alone[4]] == [length(index) for index in (3, 4, 6)]
    # The first rank has targets 4 and 6, the second only 3, and its shortest sample fills up.
    first, second = seen[2]
    shortest = min(length(index) for index in (1, 5, 7))
    assert sorted(size for [size] in first[8]) == sorted(length(index) for index in (4, 6))
    assert sorted(size for [size] in second[8]) == sorted([length(3), shortest])
