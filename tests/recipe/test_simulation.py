# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The quickstart's task in plain PyTorch: two steps from an untrained model."""

import random

import pytest
import torch

from recipe.quickstart import simulation, task
from recipe.quickstart.base_examples import draw_example
from recipe.quickstart.tokenizer import build_tokenizer
from recipe.tiny_model import small_qwen3

TOKENIZER = build_tokenizer()


def build_model():
    ids = {"eos_token_id": TOKENIZER.eos_token_id, "pad_token_id": TOKENIZER.pad_token_id}
    return small_qwen3(len(TOKENIZER), hidden_size=32, num_layers=1, num_heads=2, seed=0, **ids).eval()


@pytest.fixture(autouse=True)
def _few_questions(monkeypatch):
    monkeypatch.setattr(task, "NUM_VALIDATION", 2)
    monkeypatch.setattr(task, "PROMPTS_PER_STEP", 2)


def run(*arguments):
    """Weights before, the student's and the teacher's after, each as one vector; and what was reported."""
    model, reports = build_model(), []
    before = vector(model)
    settings = simulation.parse(["--steps", "2", *arguments])
    teacher = simulation.simulate(settings, model, TOKENIZER, lambda *report: reports.append(report))
    return before, vector(model), vector(teacher), reports


def vector(model):
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def test_sdpo_moves_the_weights_and_says_how_good_they_are_after_the_last_step():
    before, student, _, reports = run()
    # Every wrong answer has feedback. Weight decay alone would move no weight by a tenth of this.
    assert (student - before).abs().max() > 1e-4
    assert reports == [(2, 0.0)]


def test_the_teacher_is_an_average_that_follows_or_the_base_model_where_it_is_frozen():
    before, student, teacher, _ = run("--steps", "1", "--teacher-update-rate", "0.25")
    torch.testing.assert_close(teacher, before.lerp(student, 0.25))
    assert not torch.equal(teacher, before)
    before, student, teacher, _ = run("--teacher-update-rate", "0")
    assert torch.equal(teacher, before)
    assert not torch.equal(student, before)


@pytest.mark.parametrize("arguments", [(), ("--topk", "0", "--alpha", "0", "--schedule", "constant")])
def test_a_seed_gives_the_same_run_twice(arguments):
    first, second = run("--seed", "3", *arguments), run("--seed", "3", *arguments)
    torch.testing.assert_close(first[1], second[1], rtol=0.0, atol=1e-6)
    torch.testing.assert_close(first[2], second[2], rtol=0.0, atol=1e-6)
    assert first[3] == second[3]


def test_another_seed_is_another_run():
    assert not torch.equal(run("--seed", "3")[1], run("--seed", "4")[1])


def test_grpo_learns_nothing_where_every_answer_is_wrong():
    before, student, _, _ = run("--method", "grpo", "--schedule", "constant", "--lr", "0.1")
    # What is left is AdamW's weight decay.
    torch.testing.assert_close(student, before * (1 - 0.1 * 0.01) ** 2)


def test_grpo_makes_right_answers_likelier():
    model = build_model()
    items = [task.Item("Encode: otter.", "alfa", "new")] * task.ROLLOUTS_PER_PROMPT
    rollouts = simulation.roll_out(model, TOKENIZER, items, torch.Generator().manual_seed(0))
    outcomes = [{"score": float(index == 0)} for index in range(len(items))]
    settings = simulation.parse(["--method", "grpo"])
    loss = simulation.step_loss(settings, model, model, TOKENIZER, rollouts._replace(outcomes=outcomes))
    loss.backward()
    gradient = model.lm_head.weight.grad
    assert gradient.abs().sum() > 0.0
    before = likelihood(model, rollouts)
    with torch.no_grad():
        model.lm_head.weight -= 0.1 * gradient
    assert likelihood(model, rollouts) > before


@torch.no_grad()
def likelihood(model, rollouts):
    """Of the first answer's first token."""
    logits = simulation.answer_logits(model, rollouts.prompts[:1], rollouts.responses[:1, :0], num_logits=1)
    return logits[0, 0].log_softmax(dim=-1)[rollouts.responses[0, 0]]


def test_more_new_words_are_another_page_with_its_own_questions():
    words = task.ALL_NEW_WORDS
    asked = {word for item in task.validation_items(0, words) + task.train_items(0, words) for word in words_of(item)}
    assert set(words) <= asked
    assert set(words) & {word for item in task.train_items(0) for word in words_of(item)} == set(task.NEW_WORDS)
    assert set(words) <= set(build_tokenizer(words).get_vocab())
    rng, page = random.Random(0), task.known_page(0)
    drawn = " ".join(draw_example(rng, page, words).user_turn for _ in range(500))
    assert set(words) <= set(drawn.replace(".", " ").split())


def words_of(item):
    return item.question.removeprefix("Encode: ").partition(".")[0].split()


def test_too_few_new_words_are_refused():
    with pytest.raises(ValueError, match="8 or more"):
        task.train_items(0, task.NEW_WORDS[:4])
    with pytest.raises(SystemExit):
        simulation.parse(["--new-words", "4"])


@pytest.fixture
def base_model(tmp_path):
    """A folder as base_model.py writes it."""
    build_model().save_pretrained(tmp_path)
    (tmp_path / "accuracy.json").write_text("{}")
    return str(tmp_path)


def test_a_run_prints_its_accuracies_and_the_teachers(base_model, monkeypatch, capsys):
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr("sys.argv", ["simulation", "--steps", "1", "--base-model", base_model])
    simulation.main()
    assert capsys.readouterr().out == (
        "  step   1  accuracy   0.0%\n  teacher, shown the feedback on a wrong answer: 0.0%\n"
    )


def test_a_base_model_of_other_words_is_refused(base_model):
    with pytest.raises(SystemExit, match="other words"):
        simulation.load_base_model(simulation.parse(["--new-words", "16", "--base-model", base_model]))
