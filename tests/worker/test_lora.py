# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SDPO with a LoRA adapter: student and teacher are two adapters on one base, which is in memory once."""

import dataclasses
import functools
from unittest import mock

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tests.worker.engine_case import (
    actor_config,
    batch_of,
    make_samples,
    make_worker,
    metrics_of,
    plain_model,
    set_student,
    whole,
    whole_weights,
)
from tests.worker.test_teacher_pass import in_order, plain_logits, student_log_probs, teacher_logits
from verl_sdpo.algorithm import self_distillation_loss
from verl_sdpo.config.self_distillation import TEACHERS

WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])
MASKS = [[1, 1, 1], [1] * 5, [1, 0, 1], [1, 1], [1, 1, 1, 1], [1] * 6, [1, 1, 0], [1]]
SAMPLES = make_samples(MASKS, [1] * len(MASKS))
# The teacher reads what the student reads: only weights can make them differ.
SAME_PROMPT = [dataclasses.replace(sample, teacher_prompt=sample.prompt) for sample in SAMPLES]
RANK, ALPHA = 4, 12
SCALING = ALPHA / RANK
LORA = {"lora_rank": RANK, "lora_alpha": ALPHA, "target_modules": "all-linear"}
RATE, MIX = 0.25, 0.3
OPTIMIZER = {"lr": 0.02, "weight_decay": 0.1, "clip_grad": 1.0}


def options(kind, small=None, **more):
    chosen = {"teacher_regularization": kind, "distillation_topk": None, "teacher_update_rate": RATE}
    if kind == "trust_region":
        chosen["trust_region_mix"] = MIX
    if kind == "external":
        chosen["external_teacher_path"] = str(small)
    return chosen | more


# --- adapters --------------------------------------------------------------------------------------------------------


def peft_model(path, **settings):
    """The saved model with an adapter as verl makes it, in transformers and PEFT alone."""
    from peft import LoraConfig, TaskType, get_peft_model

    given = {"r": RANK, "lora_alpha": ALPHA, "target_modules": "all-linear", "task_type": TaskType.CAUSAL_LM}
    return get_peft_model(plain_model(path), LoraConfig(**given | settings)).eval()


def of_adapter(weights):
    """The adapter's part of weights by parameter name."""
    return {name: weight for name, weight in weights.items() if "lora_" in name}


@functools.cache
def adapter(path, seed, scale=0.3):
    """Weights of an adapter whose B is not zero, by parameter name."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: p.shape for name, p in peft_model(path).named_parameters() if "lora_" in name}
    return {name: scale * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def with_adapter(path, weights):
    """The plain model that has this adapter."""
    model = peft_model(path)
    model.load_state_dict(weights, strict=False)
    return model


def merged(path, weights):
    """`base + scaling * B A` in float64 by the base's parameter names; only the weights that an adapter changes."""
    base = plain_model(path).state_dict()
    deltas = {}
    for name in (name for name in weights if "lora_A" in name):
        short = name.removeprefix("base_model.model.").replace("lora_A.default.", "")
        factor_b = weights[name.replace("lora_A", "lora_B")].double()
        deltas[short] = base[short].double() + SCALING * factor_b @ weights[name].double()
    return deltas


def set_adapter(worker, weights):
    """Give the student this adapter."""
    set_student(worker, whole_weights(worker) | weights)


def worker_with(path, weights, teacher, **settings):
    """A worker whose student had this adapter when its teacher was made."""
    worker = make_worker(path, **{"model": LORA} | settings)
    set_adapter(worker, weights)
    worker.start_self_distillation(actor_config(worker.engine_config, teacher))
    return worker


def teacher_weights(worker):
    """The teacher's adapter, gathered from all ranks."""
    with worker.teacher.in_place_of_student():
        return of_adapter(whole_weights(worker))


# --- every kind of teacher -------------------------------------------------------------------------------------------


def use_every_kind(rank, world, path, small, directory):
    """By kind: what the teacher says at the start, after the student moved and was followed, and after a resume."""
    seen = {}
    for kind in TEACHERS:
        worker = worker_with(path, adapter(path, 1), options(kind, small))
        seen[kind] = {"at the start": teacher_logits(worker, SAMPLES[rank::world], 2, None)}
        set_adapter(worker, adapter(path, 2))
        worker.teacher.update()
        before = whole_weights(worker)
        seen[kind]["moved"] = teacher_logits(worker, SAMPLES[rank::world], 2, None)
        seen[kind]["uneven"] = teacher_logits(worker, SAMPLES if rank == 0 else [], 2, None)
        after = whole_weights(worker)
        seen[kind]["is_student_unchanged"] = all(torch.equal(before[name], after[name]) for name in before)
        folder = f"{directory}/{world}/{kind}"
        worker.save_checkpoint(folder, global_step=1)
        resumed = make_worker(path, options=options(kind, small), model=LORA)
        resumed.load_checkpoint(folder)
        seen[kind]["resumed"] = teacher_logits(resumed, SAMPLES[rank::world], 2, None)
        seen[kind]["student"], seen[kind]["resumed_student"] = after, whole_weights(resumed)
    return seen


@pytest.fixture(scope="module")
def by_kind(ranks, models, tmp_path_factory):
    """What the ranks saw, by world size."""
    return ranks.run(use_every_kind, models["untied"], models["small"], tmp_path_factory.mktemp("lora"))


@pytest.fixture(scope="module")
def definitions(models):
    """By time and kind, per sample `(num_counted_tokens, vocab)` log-probabilities of plain models."""
    path = models["untied"]
    start, moved = adapter(path, 1), adapter(path, 2)
    average = {name: (1 - RATE) * start[name] + RATE * moved[name] for name in start}

    def said(model):
        return [plain_logits(model, sample).double().log_softmax(-1) for sample in SAMPLES]

    at_start, student = said(with_adapter(path, start)), said(with_adapter(path, moved))
    mixed = [((1 - MIX) * r + MIX * s).softmax(-1).log() for r, s in zip(at_start, student, strict=True)]
    external = said(plain_model(models["small"]))
    then = dict.fromkeys(TEACHERS, at_start) | {"external": external}
    now = {
        "ema": said(with_adapter(path, average)),
        "frozen": at_start,
        "live": student,
        "trust_region": mixed,
        "external": external,
    }
    return {"at the start": then, "moved": now, "uneven": now, "resumed": now}


@WORLDS
@pytest.mark.parametrize("kind", TEACHERS)
@pytest.mark.parametrize("when", ["at the start", "moved", "uneven", "resumed"])
def test_each_teacher_says_what_its_definition_says(by_kind, definitions, kind, when, world):
    said = [rank[kind][when] for rank in by_kind[world]]
    said = said[0] if when == "uneven" else in_order(said)
    for logits, log_probs in zip(said, definitions[when][kind], strict=True):
        torch.testing.assert_close(logits.double().log_softmax(-1), log_probs, rtol=1e-4, atol=1e-4)


@WORLDS
@pytest.mark.parametrize("kind", TEACHERS)
def test_a_checkpoint_brings_student_and_teacher_back_bit_for_bit(by_kind, kind, world):
    for rank in by_kind[world]:
        seen = rank[kind]
        assert seen["is_student_unchanged"]
        assert seen["student"].keys() == seen["resumed_student"].keys()
        assert all(torch.equal(weight, seen["resumed_student"][name]) for name, weight in seen["student"].items())
        assert all(torch.equal(*pair) for pair in zip(seen["moved"], seen["resumed"], strict=True))


# --- the start -------------------------------------------------------------------------------------------------------


def look_at_the_start(rank, world, path, saved):
    """Teacher and student with a fresh adapter, one set before the teacher is made, and one that verl loads."""
    workers = {
        "fresh": make_worker(path, options=options("ema"), model=LORA),
        "set": worker_with(path, adapter(path, 1), options("ema")),
        "loaded": make_worker(path, options=options("ema"), model=LORA | {"lora_adapter_path": str(saved)}),
    }
    seen = {}
    for name, worker in workers.items():
        samples = SAME_PROMPT[rank::world]
        of_teacher = teacher_logits(worker, samples, 3, None)
        pairs = []
        for logits, log_probs, sample in zip(of_teacher, student_log_probs(worker, samples), samples, strict=True):
            counted = torch.tensor(sample.mask).bool()
            tokens = torch.tensor(sample.response)[counted]
            pairs.append((logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0], log_probs[counted]))
        state = worker.teacher.state_dict()
        seen[name] = {
            "log_probs": pairs,
            "shards": {key: shard.numel() * shard.element_size() for key, shard in state["shards"].items()},
            "student": of_adapter(whole_weights(worker)),
            "teacher": teacher_weights(worker),
            "again": teacher_logits(worker, samples, 3, None),
            "first": of_teacher,
        }
    return seen


@pytest.fixture(scope="module", params=["tied", "untied"])
def at_start(request, ranks, models, tmp_path_factory):
    """`(path of the model, what the ranks saw by world size)`. The adapter to load drops out half of its inputs."""
    path, saved = models[request.param], tmp_path_factory.mktemp("adapter")
    model = peft_model(path, lora_dropout=0.5)
    model.load_state_dict(adapter(path, 3), strict=False)
    model.save_pretrained(saved)
    return path, ranks.run(look_at_the_start, path, saved)


@WORLDS
@pytest.mark.parametrize("which", ["fresh", "set", "loaded"])
def test_at_the_start_the_teacher_is_the_student(at_start, which, world):
    path, seen = at_start
    for rank in seen[world]:
        student, teacher = rank[which]["student"], rank[which]["teacher"]
        assert student.keys() == teacher.keys() == adapter(path, 1).keys()
        assert all(torch.equal(student[name], teacher[name]) for name in student)
        has_moved = any(weight.any() for name, weight in student.items() if "lora_B" in name)
        assert has_moved == (which != "fresh")
        for of_teacher, of_student in rank[which]["log_probs"]:
            torch.testing.assert_close(of_teacher, of_student, rtol=0.0, atol=1e-5)


@WORLDS
def test_an_adapter_that_verl_loads_is_what_the_teacher_starts_from(at_start, world):
    path, seen = at_start
    for rank in seen[world]:
        assert all(torch.equal(weight, adapter(path, 3)[name]) for name, weight in rank["loaded"]["teacher"].items())


@WORLDS
def test_the_adapters_dropout_does_not_act_on_the_teacher(at_start, world):
    path, seen = at_start
    oracle = with_adapter(path, adapter(path, 3))
    said = in_order([rank["loaded"]["first"] for rank in seen[world]])
    again = in_order([rank["loaded"]["again"] for rank in seen[world]])
    for sample, logits, more in zip(SAME_PROMPT, said, again, strict=True):
        assert torch.equal(logits, more)
        torch.testing.assert_close(logits, plain_logits(oracle, sample), rtol=1e-4, atol=1e-4)


@WORLDS
@pytest.mark.parametrize("which", ["fresh", "set", "loaded"])
def test_the_teacher_costs_one_adapter_of_memory(at_start, which, world):
    path, seen = at_start
    shapes = adapter(path, 1)
    for rank in seen[world]:
        assert rank[which]["shards"].keys() == shapes.keys()
    num_bytes = sum(sum(rank[which]["shards"].values()) for rank in seen[world])
    assert num_bytes == 4 * sum(weight.numel() for weight in shapes.values())


# --- the average -----------------------------------------------------------------------------------------------------

NUM_UPDATES = 6


@functools.cache
def way_of_the_student(path, size):
    """The student's adapters at the start and after each training step; `size` scales all steps alike."""
    start = adapter(path, 1)
    moves = [adapter(path, 10 + number) for number in range(NUM_UPDATES)]
    return [start] + [{name: start[name] + size * move[name] for name in start} for move in moves]


def average(values):
    """The EMA's definition in float64, over dicts of tensors."""
    mean = {name: value.double() for name, value in values[0].items()}
    for value in values[1:]:
        mean = {name: (1 - RATE) * mean[name] + RATE * value[name].double() for name in mean}
    return mean


def distance(one, other):
    return sum((one[name] - other[name]).square().sum() for name in one).sqrt().item()


def follow(rank, world, path, sizes):
    seen = {}
    for size in sizes:
        start, *moved = way_of_the_student(path, size)
        worker = worker_with(path, start, options("ema"))
        for weights in moved:
            set_adapter(worker, weights)
            worker.teacher.update()
        seen[size] = teacher_weights(worker)
    return seen


def test_the_teacher_averages_the_factors_and_is_off_the_merged_average_by_the_square_of_their_move(ranks, models):
    path, sizes = models["untied"], (0.3, 0.03)
    seen = ranks.run(follow, path, sizes)
    gaps = {}
    for size in sizes:
        way = way_of_the_student(path, size)
        of_factors, of_merged = merged(path, average(way)), average([merged(path, weights) for weights in way])
        for rank in seen[1] + seen[2]:
            for name, weight in merged(path, rank[size]).items():
                torch.testing.assert_close(weight, of_factors[name], rtol=1e-5, atol=1e-5)
        gaps[size] = distance(of_factors, of_merged)
        # As a share of how far the average itself has come. A student that moves steadily comes out far better than
        # this one, whose every step starts anew (docs/lora.md).
        gaps[size, "share"] = gaps[size] / distance(of_merged, merged(path, way[0]))
    assert gaps[0.03] == pytest.approx(gaps[0.3] / 100, rel=1e-3)
    assert gaps[0.03, "share"] == pytest.approx(0.1 * gaps[0.3, "share"], rel=0.3)
    assert gaps[0.03, "share"] < 0.1


# --- adapter off -----------------------------------------------------------------------------------------------------


def switch_the_adapter_off(rank, world, path, engine):
    """The base as a model of its own; a frozen fresh adapter; verl's KL reference; a step after that."""
    samples = SAME_PROMPT[rank::world]
    base = make_worker(path, options=options("live"), engine=engine)
    seen = {"base": teacher_logits(base, samples, 2, None), "base_log_probs": student_log_probs(base, samples)}
    worker = make_worker(path, options=options("frozen"), model=LORA, engine=engine, optimizer=OPTIMIZER)
    set_adapter(worker, adapter(path, 1))
    seen["frozen"] = teacher_logits(worker, samples, 2, None)
    student_log_probs(worker, samples)
    step(worker, SAMPLES, rank, world)
    set_adapter(worker, adapter(path, 1))
    if engine:
        # As verl does. Where gathered copies are kept and the reference comes first, PEFT unfreezes the adapter in the
        # copies, not in the shards, and the next step trains nothing: config/checks.py refuses it.
        student_log_probs(worker, samples)
    seen["reference"] = log_probs_without_adapter(worker, samples)
    seen["frozen_after"] = teacher_logits(worker, samples, 2, None)
    seen["student"] = student_log_probs(worker, samples)
    before = whole_weights(worker)
    step(worker, SAMPLES, rank, world)
    after = whole_weights(worker)
    seen["moved"] = {name for name in before if not torch.equal(before[name], after[name])}
    seen["with_state"] = {n for n, p in worker.engine.module.named_parameters() if worker.engine.optimizer.state[p]}
    return seen


def step(worker, samples, rank, world):
    return metrics_of(worker.train_mini_batch(batch_of(samples[rank::world], world=world)))


def log_probs_without_adapter(worker, samples):
    """As verl's trainer asks for the reference's log-probs where actor and reference share a base."""
    from verl.utils import tensordict_utils as tu

    output = worker.infer_batch(batch_of(samples, compute_loss=False, no_lora_adapter=True))
    rows = zip(tu.get(output, "log_probs").unbind(), samples, strict=True)
    return [row[len(s.prompt) - 1 : len(s.prompt) - 1 + len(s.response)].clone() for row, s in rows]


@pytest.fixture(scope="module", params=[{}, {"reshard_after_forward": False}], ids=["resharded", "kept gathered"])
def switched_off(request, ranks, models):
    """What the ranks saw, by world size."""
    return ranks.run(switch_the_adapter_off, models["untied"], request.param)


@WORLDS
def test_a_frozen_fresh_adapter_is_the_base_bit_for_bit(switched_off, world):
    for rank in switched_off[world]:
        for which in ("frozen", "frozen_after"):
            assert all(torch.equal(*pair) for pair in zip(rank["base"], rank[which], strict=True))


@WORLDS
def test_verls_reference_is_the_student_with_its_adapter_off(switched_off, models, world):
    oracle = with_adapter(models["untied"], adapter(models["untied"], 1))
    for rank in switched_off[world]:
        assert all(torch.equal(*pair) for pair in zip(rank["base_log_probs"], rank["reference"], strict=True))
    for sample, log_probs in zip(SAMPLES, in_order([rank["student"] for rank in switched_off[world]]), strict=True):
        logits = oracle(torch.tensor([sample.prompt + sample.response])).logits[0, len(sample.prompt) - 1 : -1]
        expected = logits.log_softmax(-1).gather(-1, torch.tensor(sample.response)[:, None])[:, 0]
        torch.testing.assert_close(log_probs, expected, rtol=1e-4, atol=1e-4)


@WORLDS
def test_a_step_moves_the_adapter_and_nothing_else(switched_off, models, world):
    for rank in switched_off[world]:
        assert rank["moved"] == rank["with_state"] == adapter(models["untied"], 1).keys()


# --- gradients -------------------------------------------------------------------------------------------------------


def collect_gradients(rank, world, path, use_remove_padding):
    """Gradients of one step with a learning rate of zero: the teacher has another adapter than the student."""
    worker = worker_with(path, adapter(path, 1), options("frozen", is_clip=None), use_remove_padding=use_remove_padding)
    set_adapter(worker, adapter(path, 2))
    gradients = {}
    optimizer_step = worker.engine.optimizer_step

    def recording_step():
        gradients.update({n: None if p.grad is None else whole(p.grad) for n, p in named_parameters(worker)})
        return optimizer_step()

    with mock.patch.object(worker.engine, "optimizer_step", recording_step):
        metrics = step(worker, SAMPLES, rank, world)
    return metrics["loss"][0], gradients


def named_parameters(worker):
    return worker.engine.module.named_parameters()


@pytest.mark.parametrize(("name", "is_packed"), [("tied", False), ("untied", True)])
def test_loss_and_gradient_are_those_of_a_plain_peft_model(ranks, models, name, is_packed):
    path = models[name]
    student, teacher = with_adapter(path, adapter(path, 2)).double(), with_adapter(path, adapter(path, 1)).double()

    def padded(rows):
        return pad_sequence([torch.as_tensor(row) for row in rows], batch_first=True)

    def logits(model, prompt, sample):
        return model(torch.tensor([prompt + sample.response])).logits[0, len(prompt) - 1 : -1]

    loss, _ = self_distillation_loss(
        padded([logits(student, s.prompt, s) for s in SAMPLES]),
        padded([logits(teacher, s.teacher_prompt, s).detach() for s in SAMPLES]),
        padded([s.response for s in SAMPLES]),
        padded([s.mask for s in SAMPLES]),
        distillation_mode="full_logits",
        topk=None,
        add_tail=True,
        alpha=0.5,
        is_clip=None,
        self_distillation_mask=torch.ones(len(SAMPLES)),
        loss_agg_mode="token-mean",
    )
    loss.backward()
    expected = {name: p.grad for name, p in student.named_parameters()}
    for results in ranks.run(collect_gradients, path, is_packed).values():
        for value, gradients in results:
            assert value == pytest.approx(loss.item(), rel=1e-4)
            assert gradients.keys() == expected.keys()
            for parameter, gradient in expected.items():
                assert (gradient is None) == (gradients[parameter] is None) == ("lora_" not in parameter)
                if gradient is not None:
                    size = gradient.abs().max().item()
                    assert size > 1e-6, f"{parameter} has no gradient to compare"
                    torch.testing.assert_close(
                        gradients[parameter].double(), gradient, rtol=1e-3, atol=1e-3 * size, msg=parameter
                    )


# --- around it -------------------------------------------------------------------------------------------------------


def sync_merged_weights(rank, world, path):
    """What verl sends to the rollouts with `model.lora.merge`, and whether student and teacher are as before."""
    worker = worker_with(path, adapter(path, 1), options("ema"), model=LORA | {"lora": {"merge": True}})
    set_adapter(worker, adapter(path, 2))
    student_log_probs(worker, SAMPLES)  # leaves the weights as a forward leaves them
    before = whole_weights(worker), teacher_weights(worker)
    parameters, peft_config = worker.engine.get_per_tensor_param(base_sync_done=True)
    sent = {name: tensor.clone() for name, tensor in parameters}
    after = whole_weights(worker), teacher_weights(worker)
    is_same = [all(torch.equal(b[name], a[name]) for name in b) for b, a in zip(before, after, strict=True)]
    return sent, peft_config, is_same


def test_verls_merge_for_the_rollouts_sends_the_students_weights_and_leaves_both_as_they_were(ranks, models):
    path = models["untied"]
    expected = plain_model(path).state_dict() | merged(path, adapter(path, 2))
    for results in ranks.run(sync_merged_weights, path).values():
        for sent, peft_config, is_same in results:
            assert is_same == [True, True]
            assert peft_config is None
            assert sent.keys() == expected.keys()
            for name, weight in expected.items():
                torch.testing.assert_close(sent[name].double(), weight.double(), rtol=0.01, atol=1e-3, msg=name)


def refuse_an_adapter_on_the_head(rank, world, path, small):
    model = LORA | {"target_modules": ["q_proj", "lm_head"]}
    make_worker(path, options=options("external", small), model=model)  # the student's head is not asked for
    try:
        make_worker(path, options=options("ema"), model=model)
    except ValueError as error:
        return str(error)


def test_a_head_with_an_adapter_of_its_own_is_refused_at_the_start(ranks, models):
    for results in ranks.run(refuse_an_adapter_on_the_head, models["tied"], models["small"]).values():
        assert all("actor_rollout_ref.model.target_modules" in message for message in results)
