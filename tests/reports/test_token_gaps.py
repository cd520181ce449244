# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Gap, divergence and lists of single tokens against the definitions, in float64 and without our functions."""

import math

import pytest
import torch

from recipe.tiny_model import build_model, build_tokenizer
from verl_sdpo.algorithm.linear_logits import TeacherVoice
from verl_sdpo.config import SelfDistillationConfig
from verl_sdpo.reports import token_gaps as module
from verl_sdpo.reports.token_gaps import Speaker, token_gaps

PROMPT, TEACHER_PROMPT = [5, 6, 7], [5, 80, 81, 6, 7]
RESPONSE = [10, 200, 3, 3, 150, 77, 258]
TEMPERATURE = 0.7


@pytest.fixture(scope="module")
def models():
    made = [build_model(build_tokenizer(), seed) for seed in (1, 2, 3)]
    with torch.no_grad():
        # Untrained models are nearly uniform; these are as sure as trained ones.
        for model in made:
            model.lm_head.weight.mul_(40.0)
    return made


def distributions(model, prompt, temperature=TEMPERATURE):
    """Next-token log-probabilities at each place of the response, from a plain forward pass in float64."""
    state = {name: tensor.double() for name, tensor in model.state_dict().items()}
    double = type(model)(model.config).double().eval()
    double.load_state_dict(state)
    with torch.no_grad():
        logits = double(torch.tensor([prompt + RESPONSE])).logits[0]
    rows = [[value / temperature for value in row] for row in logits[len(prompt) - 1 : -1].tolist()]
    largest = [max(row) for row in rows]
    sums = [math.fsum(math.exp(value - top) for value in row) for row, top in zip(rows, largest, strict=True)]
    return [
        [value - top - math.log(total) for value in row] for row, top, total in zip(rows, largest, sums, strict=True)
    ]


def jensen_shannon(p, q, alpha):
    value = 0.0
    for a, b in zip(p, q, strict=True):
        middle = (1 - alpha) * a + alpha * b
        value += (1 - alpha) * a * math.log(a / middle) + alpha * b * math.log(b / middle)
    return value


def buckets(row, ids):
    """Probabilities of some ids, and of all others as one."""
    return [math.exp(row[i]) for i in ids] + [math.fsum(math.exp(x) for i, x in enumerate(row) if i not in ids)]


def compared(student, voices, options, prompt=TEACHER_PROMPT, topk=4):
    spoken = [TeacherVoice(Speaker(m, torch.float32).projection(prompt, RESPONSE), share) for share, m in voices]
    own = Speaker(student, torch.float32).projection(PROMPT, RESPONSE)
    return token_gaps(own, spoken, RESPONSE, options, TEMPERATURE, topk)


@pytest.mark.parametrize("chunk_rows", [1, 3, 256])
def test_gap_and_divergence_are_those_of_the_definitions(models, monkeypatch, chunk_rows):
    monkeypatch.setattr(module, "_CHUNK_ROWS", chunk_rows)
    student, teacher, _ = models
    options = SelfDistillationConfig(distillation_topk=20)
    gaps = compared(student, [(1.0, teacher)], options)
    p, q = distributions(student, PROMPT), distributions(teacher, TEACHER_PROMPT)
    gap = [b[token] - a[token] for a, b, token in zip(p, q, RESPONSE, strict=True)]
    assert max(map(abs, gap)) > 1.0
    assert gaps.gap.tolist() == pytest.approx(gap, abs=2e-4)
    expected = []
    for a, b in zip(p, q, strict=True):
        ids = sorted(range(len(a)), key=lambda i: -a[i])[:20]
        expected.append(jensen_shannon(buckets(a, ids), buckets(b, ids), 0.5))
    assert gaps.divergence.tolist() == pytest.approx(expected, rel=1e-4)


def test_the_divergence_is_that_of_the_options(models):
    student, teacher, _ = models
    p, q = distributions(student, PROMPT), distributions(teacher, TEACHER_PROMPT)
    reverse = [math.fsum(math.exp(x) * (x - y) for x, y in zip(a, b, strict=True)) for a, b in zip(p, q, strict=True)]
    options = SelfDistillationConfig(distillation_topk=None, alpha=1.0)
    assert compared(student, [(1.0, teacher)], options).divergence.tolist() == pytest.approx(reverse, rel=1e-4)
    sampled = compared(student, [(1.0, teacher)], SelfDistillationConfig(credit_assignment="sequence", alpha=1.0))
    assert sampled.divergence.tolist() == pytest.approx((-sampled.gap).tolist())


def test_the_lists_are_each_models_most_probable_ids(models):
    student, teacher, _ = models
    gaps = compared(student, [(1.0, teacher)], SelfDistillationConfig())
    for top, rows in (
        (gaps.student_top, distributions(student, PROMPT)),
        (gaps.teacher_top, distributions(teacher, TEACHER_PROMPT)),
    ):
        for ids, log_probs, row in zip(top.ids.tolist(), top.log_probs.tolist(), rows, strict=True):
            assert ids == sorted(range(len(row)), key=lambda i: -row[i])[:4]
            assert log_probs == pytest.approx([row[i] for i in ids], abs=2e-4)


def test_a_teacher_of_two_voices_is_their_geometric_mean(models):
    student, reference, other = models
    gaps = compared(student, [(0.9, reference), (0.1, other)], SelfDistillationConfig())
    rows = zip(distributions(reference, TEACHER_PROMPT), distributions(other, TEACHER_PROMPT), strict=True)
    for place, (a, b) in enumerate(rows):
        mixed = [0.9 * x + 0.1 * y for x, y in zip(a, b, strict=True)]
        expected = mixed[RESPONSE[place]] - math.log(math.fsum(map(math.exp, mixed)))
        assert gaps.teacher_log_probs[place].item() == pytest.approx(expected, abs=2e-4)


def test_a_teacher_that_is_the_student_with_the_same_prompt_has_no_gap(models):
    student = models[0]
    gaps = compared(student, [(1.0, student)], SelfDistillationConfig(), prompt=PROMPT)
    assert gaps.gap.tolist() == [0.0] * len(RESPONSE)
    assert gaps.divergence.tolist() == [0.0] * len(RESPONSE)
    assert torch.equal(gaps.student_top.ids, gaps.teacher_top.ids)
    # And has one as soon as it is shown more.
    assert compared(student, [(1.0, student)], SelfDistillationConfig()).gap.abs().max() > 0.01


def test_in_bfloat16_it_is_near_and_not_equal(models):
    student, teacher, _ = models
    exact = compared(student, [(1.0, teacher)], SelfDistillationConfig())
    rounded = [build_model(build_tokenizer(), 1) for _ in range(2)]
    for model, source in zip(rounded, (student, teacher), strict=True):
        model.load_state_dict(source.state_dict())
        for parameter in model.parameters():
            parameter.data = parameter.data.bfloat16()
    spoken = [TeacherVoice(Speaker(rounded[1], torch.bfloat16).projection(TEACHER_PROMPT, RESPONSE), 1.0)]
    own = Speaker(rounded[0], torch.bfloat16).projection(PROMPT, RESPONSE)
    gaps = token_gaps(own, spoken, RESPONSE, SelfDistillationConfig(), TEMPERATURE, 4)
    differences = (gaps.gap - exact.gap).abs()
    assert 0.0 < differences.max() < 0.5
