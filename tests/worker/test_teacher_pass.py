# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The teacher's pass through verl's FSDP2 engine against a plain forward of a model with the averaged weights."""

import contextlib
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.engine_case import (
    VOCAB,
    batch_of,
    make_samples,
    make_worker,
    other_weights,
    plain_model,
    set_teacher,
    whole_weights,
)

# Tool results in the middle, at the start and at the end of a response; a single token; nothing but one own token.
MASKS = [[1, 1, 0, 0, 1, 1], [1], [0, 0, 1, 1, 1], [1, 1, 0], [0, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1]]
SAMPLES = make_samples(MASKS, [1] * len(MASKS))
# (max_rows, max_tokens)
PLANS = [(None, None), (1, None), (4, None), (None, 1), (None, 25), (3, 40)]
WORLDS = pytest.mark.parametrize("world", [1, 2], ids=["one rank", "two ranks"])


def in_order(results):
    """The samples' results, dealt out to the ranks in turn, in the samples' order."""
    items = [None] * sum(map(len, results))
    for rank, of_rank in enumerate(results):
        items[rank :: len(results)] = of_rank
    return items


def teacher_logits(worker, samples, max_rows, max_tokens):
    """Per sample `(num_counted_tokens, vocab)`."""
    from verl_sdpo.worker.teacher_pass import TeacherSequence, run_teacher

    sequences = [TeacherSequence(torch.tensor(s.teacher_prompt + s.response), torch.tensor(s.mask)) for s in samples]
    targets = run_teacher(
        worker.engine,
        worker.teacher,
        sequences,
        max_rows=max_rows,
        max_tokens=max_tokens,
        use_remove_padding=worker.engine_config.use_remove_padding,
    )
    return [targets.logits([index], 1.0).clone() for index in range(len(samples))]


def student_log_probs(worker, samples):
    """verl's own log-probs of the responses, as its trainer asks for them: a forward without a backward."""
    from verl.utils import tensordict_utils as tu

    output = worker.infer_batch(batch_of(samples, compute_loss=False))
    log_probs = tu.get(output, "log_probs")
    rows = zip(log_probs.unbind(), samples, strict=True)
    return [row[len(s.prompt) - 1 : len(s.prompt) - 1 + len(s.response)].clone() for row, s in rows]


def speak(rank, world, path, settings):
    """The teacher's logits in several plans and divisions, between two looks at the student."""
    worker = make_worker(path, **settings)
    set_teacher(worker, other_weights(path))
    shards_before = {name: shard.clone() for name, shard in worker.teacher.state_dict()["shards"].items()}
    seen = {"before": student_log_probs(worker, SAMPLES), "weights_before": whole_weights(worker)}
    student_log_probs(worker, SAMPLES)  # leaves the weights as a forward leaves them
    seen["plans"] = [teacher_logits(worker, SAMPLES[rank::world], *plan) for plan in PLANS]
    seen["uneven"] = teacher_logits(worker, SAMPLES if rank == 0 else [], 2, None)
    seen["nothing"] = teacher_logits(worker, [], 2, None)
    seen["after"], seen["weights_after"] = student_log_probs(worker, SAMPLES), whole_weights(worker)
    shards_after = worker.teacher.state_dict()["shards"]
    seen["is_teacher_unchanged"] = all(torch.equal(shards_before[name], shards_after[name]) for name in shards_before)
    return seen


@pytest.fixture(
    scope="module",
    params=[
        ("tied", {}),
        ("untied", {"use_remove_padding": True}),
        ("untied", {"engine": {"reshard_after_forward": False}}),
    ],
    ids=["tied, padded", "untied, packed", "untied, padded, kept gathered"],
)
def spoken(request, ranks, models):
    """`(what the ranks saw, by world size; the plain model with the teacher's weights)`."""
    name, settings = request.param
    oracle = plain_model(models[name])
    oracle.load_state_dict(other_weights(models[name]), strict=False)
    oracle.tie_weights()
    return ranks.run(speak, models[name], settings), oracle


@torch.no_grad()
def plain_logits(model, sample):
    """The oracle: one sequence, whole, no padding; the rows before the counted tokens."""
    logits = model(torch.tensor([sample.teacher_prompt + sample.response])).logits[0]
    counted = [place for place, is_own in enumerate(sample.mask) if is_own]
    return torch.stack([logits[len(sample.teacher_prompt) + place - 1] for place in counted])


@WORLDS
def test_the_teacher_says_what_a_plain_forward_of_the_averaged_model_says(spoken, world):
    seen, oracle = spoken
    said = in_order([rank["plans"][0] for rank in seen[world]])
    for sample, logits in zip(SAMPLES, said, strict=True):
        assert logits.shape == (sum(sample.mask), VOCAB)
        torch.testing.assert_close(logits, plain_logits(oracle, sample), rtol=1e-4, atol=1e-4)


@WORLDS
def test_micro_batches_do_not_change_what_the_teacher_says(spoken, world):
    seen, oracle = spoken
    for number in range(len(PLANS)):
        said = in_order([rank["plans"][number] for rank in seen[world]])
        for sample, logits in zip(SAMPLES, said, strict=True):
            torch.testing.assert_close(logits, plain_logits(oracle, sample), rtol=1e-4, atol=1e-4)


@WORLDS
def test_a_rank_without_a_sequence_takes_part_and_says_nothing(spoken, world):
    seen, oracle = spoken
    assert [len(rank["uneven"]) for rank in seen[world]] == [len(SAMPLES), 0][:world]
    assert all(rank["nothing"] == [] for rank in seen[world])
    for sample, logits in zip(SAMPLES, seen[world][0]["uneven"], strict=True):
        torch.testing.assert_close(logits, plain_logits(oracle, sample), rtol=1e-4, atol=1e-4)


@WORLDS
def test_the_student_and_the_teacher_are_as_before_the_pass(spoken, world):
    seen, _ = spoken
    for rank in seen[world]:
        assert rank["is_teacher_unchanged"]
        assert all(torch.equal(w, rank["weights_after"][name]) for name, w in rank["weights_before"].items())
        for before, after in zip(rank["before"], rank["after"], strict=True):
            assert torch.equal(before, after)


def speak_in_the_students_context(rank, world, path, settings):
    """Teacher and student are the same model and read the same prompt: `(teacher's, student's)` log-probs."""
    import dataclasses

    worker = make_worker(path, micro_batch_size=3, **settings)
    samples = [dataclasses.replace(s, teacher_prompt=s.prompt) for s in SAMPLES[rank::world]]
    of_student = student_log_probs(worker, samples)
    pairs = []
    for logits, log_probs, sample in zip(teacher_logits(worker, samples, 2, None), of_student, samples, strict=True):
        counted = torch.tensor(sample.mask).bool()
        tokens = torch.tensor(sample.response)[counted]
        pairs.append((logits.float().log_softmax(-1).gather(-1, tokens[:, None])[:, 0], log_probs[counted]))
    return pairs


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [({}, 1e-5), ({"use_remove_padding": True}, 1e-5), ({"param_dtype": "bf16"}, 0.05)],
    ids=["padded", "packed", "in bf16"],
)
def test_a_teacher_equal_to_the_student_gives_the_students_log_probs_after_tool_results_too(
    ranks, models, settings, tolerance
):
    for results in ranks.run(speak_in_the_students_context, models["untied"], settings).values():
        for of_teacher, of_student in in_order(results):
            torch.testing.assert_close(of_teacher, of_student.float(), rtol=0.0, atol=tolerance)


def change_student_after_the_pass(rank, world, path):
    from verl_sdpo.worker.teacher_pass import TeacherSequence, run_teacher

    worker = make_worker(path)
    sequence = TeacherSequence(torch.tensor([1, 2, 3, 4]), torch.tensor([1, 1]))
    targets = run_teacher(
        worker.engine, worker.teacher, [sequence], max_rows=1, max_tokens=None, use_remove_padding=False
    )
    before = targets.logits([0], 1.0)
    with torch.no_grad():
        for p in worker.engine.module.parameters():
            p.to_local().zero_()
    return before, targets.logits([0], 1.0)


def test_what_the_teacher_said_does_not_change_with_the_student(ranks, models):
    for results in ranks.run(change_student_after_the_pass, models["tied"]).values():
        for before, after in results:
            assert torch.equal(before, after)


# --- without an engine -----------------------------------------------------------------------------------------------

BOUNDS = st.none() | st.integers(1, 40)


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 50)), max_rows=BOUNDS, max_tokens=BOUNDS, is_padded=st.booleans())
def test_every_sequence_is_in_one_micro_batch_and_the_bounds_hold(lengths, max_rows, max_tokens, is_padded):
    from verl_sdpo.worker.teacher_pass import plan_micro_batches

    plan = plan_micro_batches(lengths, max_rows=max_rows, max_tokens=max_tokens, is_padded=is_padded)
    assert sorted(index for rows in plan for index in rows) == list(range(len(lengths)))
    for rows in plan:
        of_rows = [lengths[index] for index in rows]
        num_tokens = len(rows) * max(of_rows) if is_padded else sum(of_rows)
        assert max_rows is None or len(rows) <= max_rows
        assert max_tokens is None or num_tokens <= max_tokens or len(rows) == 1
    # Like lengths share a micro-batch: none holds a row longer than a row of the one before it.
    for rows, following in zip(plan, plan[1:], strict=False):
        assert min(lengths[index] for index in rows) >= max(lengths[index] for index in following)


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 50), min_size=1), is_padded=st.booleans())
def test_without_bounds_one_micro_batch_holds_everything(lengths, is_padded):
    from verl_sdpo.worker.teacher_pass import plan_micro_batches

    assert len(plan_micro_batches(lengths, max_rows=None, max_tokens=None, is_padded=is_padded)) == 1


class PlanRecorder:
    """An engine that computes nothing and remembers how long the sequences of each micro-batch are."""

    def __init__(self):
        self.module = torch.nn.Linear(4, 9)
        self.module.get_output_embeddings = lambda: self.module
        self.eval_mode = lambda **_: contextlib.nullcontext()
        self.get_data_parallel_group = lambda: None
        self.lengths = []

    def forward_step(self, micro_batch, loss_function, forward_only):
        self.lengths.append(micro_batch["input_ids"].offsets().diff().tolist())
        loss_function(data=micro_batch, student_logits=torch.zeros(1, sum(self.lengths[-1]), 4))


@pytest.mark.parametrize("use_remove_padding", [False, True])
def test_micro_batches_are_bounded_by_what_the_teacher_reads_not_by_the_response(monkeypatch, use_remove_padding):
    from verl_sdpo.teacher.interface import Voice
    from verl_sdpo.worker.teacher_pass import TeacherSequence, run_teacher

    monkeypatch.setattr(torch.distributed, "all_reduce", lambda *_, **__: None)
    # The responses alone would all go into one micro-batch.
    lengths = [5, 30, 12, 30, 7, 41, 3]
    sequences = [TeacherSequence(torch.zeros(length).long(), torch.tensor([1, 1])) for length in lengths]
    teacher = mock.Mock(voices=lambda: [Voice(1.0, contextlib.nullcontext)])
    engine = PlanRecorder()
    switches = {"max_rows": None, "max_tokens": 40, "use_remove_padding": use_remove_padding}
    targets = run_teacher(engine, teacher, sequences, **switches)
    assert sorted(length for rows in engine.lengths for length in rows) == sorted(lengths)
    for rows in engine.lengths:
        assert len(rows) == 1 or (sum(rows) if use_remove_padding else len(rows) * max(rows)) <= 40
    assert len(engine.lengths) > 1
    assert targets.logits(range(len(lengths)), 1.0).shape == (2 * len(lengths), 9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.6])
def test_the_temperature_divides_the_teacher_as_it_divides_the_student(dtype, temperature):
    from verl_sdpo.worker.output_head import HeadWeights
    from verl_sdpo.worker.teacher_pass import SpokenTargets, TeacherTargets

    torch.manual_seed(0)
    hidden, head = torch.randn(6, 16).to(dtype), torch.nn.Linear(16, VOCAB).to(dtype)
    spoken = SpokenTargets(1.0, [hidden[:4], hidden[4:]], HeadWeights(head.weight.float(), head.bias.float()))
    targets = TeacherTargets([spoken])
    # verl's engine: the temperature becomes a tensor, is rounded to the logits' precision, and then divides.
    divisor = torch.full((6, 1), temperature).to(dtype)
    assert torch.equal(targets.logits([0, 1], temperature), head(hidden) / divisor)
    assert torch.equal(targets.logits([1], temperature), head(hidden[4:]) / divisor[4:])


def test_the_head_is_passed_through_only_within_the_context():
    from verl_sdpo.worker.output_head import hidden_states_as_logits

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = torch.nn.Linear(3, 4), torch.nn.Linear(4, 9)
            self.get_output_embeddings = lambda: self.head

        def forward(self, x):
            return self.head(self.body(x))

    model, x = Model(), torch.ones(2, 3)
    logits = model(x)
    with contextlib.suppress(KeyError), hidden_states_as_logits(model):
        assert torch.equal(model(x), model.body(x))
        raise KeyError
    assert torch.equal(model(x), logits)


@pytest.mark.parametrize(
    ("key", "value"), [("final_logit_softcapping", 30.0), ("logits_scaling", 8.0), ("logit_scale", 0.0625)]
)
def test_a_model_that_changes_logits_after_its_head_is_refused(key, value):
    import types

    from verl_sdpo.worker.output_head import check_output_head

    with pytest.raises(ValueError, match=f"{key}={value}"):
        check_output_head(types.SimpleNamespace(**{key: value}))
    check_output_head(types.SimpleNamespace(**{key: None if key == "final_logit_softcapping" else 1.0}))
