# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The quickstart's task, its reward, tokenizer, base model and data files."""

import json
import random
import sys

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from data_preprocess.schema import check_rows
from recipe.quickstart import base_model, make_data, task
from recipe.quickstart.base_examples import KINDS, draw_example, teacher_turn
from recipe.quickstart.sampling import MAX_RESPONSE_LEN, answer_logits, chat_ids, sample
from recipe.quickstart.tokenizer import build_tokenizer
from verl_sdpo.rewards.passphrase import MAX_ECHOED_WORDS, compute_score

SEEDS = (0, 1, 2)


def _asked_words(question):
    return question.removeprefix("Encode: ").partition(".")[0].split()


def test_the_right_words_score_one_and_get_no_feedback():
    assert compute_score("  kilo\ntango alfa ", "kilo tango alfa") == {
        "score": 1.0,
        "acc": 1.0,
        "feedback": "",
        "incorrect_format": 0.0,
    }


@pytest.mark.parametrize(
    ("answer", "incorrect_format"),
    [("kilo alfa tango", 0.0), ("kilo tango", 1.0), ("", 1.0), ("kilo tango alfa kilo", 1.0), ("Kilo tango alfa", 0.0)],
)
def test_anything_else_scores_zero_and_is_told_what_was_expected(answer, incorrect_format):
    outcome = compute_score(answer, "kilo tango alfa")
    assert (outcome["score"], outcome["acc"]) == (0.0, 0.0)
    assert outcome["incorrect_format"] == incorrect_format
    assert outcome["feedback"].endswith("Expected answer: kilo tango alfa.")
    assert f"Your answer: {answer or 'nothing'}." in outcome["feedback"]


def test_the_feedback_on_a_runaway_answer_stays_short():
    feedback = compute_score("kilo " * 1000, "alfa bravo delta")["feedback"]
    assert feedback.count("kilo") == MAX_ECHOED_WORDS


def test_a_ground_truth_without_words_is_refused():
    with pytest.raises(ValueError, match="ground_truth"):
        compute_score("alfa", "  ")


def test_no_word_means_two_things():
    words = [*task.CODE_WORDS, *task.ALL_NEW_WORDS, *task.KNOWN_WORDS]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("seed", SEEDS)
def test_validation_asks_new_combinations_of_words_that_training_teaches(seed):
    train, validation = task.train_items(seed), task.validation_items(seed)
    assert not {item.question for item in train} & {item.question for item in validation}
    taught = {word for item in train if item.kind == "new" for word in _asked_words(item.question)}
    asked = {word for item in validation for word in _asked_words(item.question)}
    assert asked <= taught == set(task.NEW_WORDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_follow_the_code_book_unless_the_question_states_another(seed):
    book = task.new_page(seed) | task.known_page(seed)
    for item in task.train_items(seed) + task.validation_items(seed):
        if item.kind == "stated":
            assert item.question.endswith(f" Expected answer: {item.answer}.")
        else:
            assert item.answer.split() == [book[word] for word in _asked_words(item.question)]


def test_half_of_the_training_questions_are_about_new_words():
    kinds = [item.kind for item in task.train_items(0)]
    assert kinds.count("new") * 2 == len(kinds)
    assert len(kinds) % task.PROMPTS_PER_STEP == 0


def test_the_task_is_its_seed():
    assert task.train_items(3) == task.train_items(3)
    assert task.new_page(3) != task.new_page(4)
    assert task.validation_items(3) != task.validation_items(4)


def test_pre_training_never_looks_at_the_new_page(monkeypatch):
    monkeypatch.delattr(task, "new_page")
    rng, page = random.Random(0), task.known_page(0)
    answers = {word: set() for word in task.NEW_WORDS}
    for _ in range(4000):
        example = draw_example(rng, page)
        if "Expected answer" in example.user_turn or "Correct solution" in example.user_turn:
            assert " ".join(example.answer) in example.user_turn
            continue
        for word, code in zip(_asked_words(example.user_turn), example.answer):
            if word in page:
                assert code == page[word]
            else:
                answers[word].add(code)
    # Without a hint every code word is an answer to every new word.
    assert all(codes == set(task.CODE_WORDS) for codes in answers.values())


def test_the_shares_of_the_pre_training_examples_sum_to_one():
    assert sum(KINDS.values()) == pytest.approx(1.0)


def test_slips_leave_the_answer_to_learn_untouched():
    rng, page = random.Random(1), task.known_page(1)
    examples = [draw_example(rng, page) for _ in range(400)]
    assert all(len(example.written) == len(example.answer) == 3 for example in examples)
    slipped = [example for example in examples if example.written != example.answer]
    assert 100 < len(slipped) < 300


def test_the_teacher_reads_the_default_templates():
    question = "Encode: otter maple comet."
    assert teacher_turn(question, feedback="It is wrong.") == (
        "Encode: otter maple comet.\nThe following is feedback from your unsuccessful earlier attempt:\n\n"
        "It is wrong.\n\nCorrectly solve the original question."
    )
    assert teacher_turn(question, demonstration="alfa alfa alfa") == (
        "Encode: otter maple comet.\nCorrect solution:\n\nalfa alfa alfa\n\nCorrectly solve the original question."
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tokenizer_knows_every_word_of_the_task_and_prompts_stay_short(seed):
    tokenizer = build_tokenizer()
    student_len, teacher_len = 0, 0
    for item in task.train_items(seed) + task.validation_items(seed):
        longest_wrong = " ".join([task.CODE_WORDS[0]] * (MAX_ECHOED_WORDS + 1))
        hints = [
            {"feedback": compute_score(wrong, item.answer)["feedback"]} for wrong in ("", longest_wrong, "Encode: .")
        ]
        for turn in (
            item.question,
            teacher_turn(item.question, demonstration=item.answer),
            *[teacher_turn(item.question, **hint) for hint in hints],
        ):
            ids = chat_ids(tokenizer, turn)
            assert tokenizer.unk_token_id not in ids
            teacher_len = max(teacher_len, len(ids))
        student_len = max(student_len, len(chat_ids(tokenizer, item.question)))
    # The limits in run.sh.
    assert student_len <= 64
    assert teacher_len <= 128


def test_answers_survive_the_tokenizer():
    tokenizer = build_tokenizer()
    ids = tokenizer("kilo alfa bravo<|im_end|>")["input_ids"]
    assert len(ids) == 4
    assert tokenizer.decode(ids, skip_special_tokens=True) == "kilo alfa bravo"


def test_the_chat_has_the_form_that_verl_looks_for_in_qwen3():
    tokenizer = build_tokenizer()
    assert len(tokenizer.encode("\n", add_special_tokens=False)) == 1
    assert tokenizer.convert_ids_to_tokens(chat_ids(tokenizer, "Encode: otter.\n")) == (
        ["<|im_start|>", "user", "\n", "Encode", ":", "otter", ".", "\n", "<|im_end|>", "\n"]
        + ["<|im_start|>", "assistant", "\n"]
    )
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, tokenizer.unk_token_id, None)


def test_left_padding_changes_no_logit():
    tokenizer = build_tokenizer()
    model = base_model.build_model(tokenizer, seed=0).eval()
    short, long = chat_ids(tokenizer, "Encode: otter."), chat_ids(tokenizer, "Encode: otter maple comet river.")
    written = torch.tensor([[5, 6], [7, 8]])
    with torch.no_grad():
        together = answer_logits(model, [short, long], written, num_logits=3)
        for row, prompt in enumerate((short, long)):
            alone = model(torch.tensor([[*prompt, *written[row].tolist()]])).logits[0, -3:]
            torch.testing.assert_close(together[row], alone, rtol=1e-4, atol=1e-5)


def test_sampling_ends_at_the_end_token_and_at_the_limit():
    tokenizer = build_tokenizer()
    model = base_model.build_model(tokenizer, seed=0).eval()
    prompts = [chat_ids(tokenizer, "Encode: otter.")] * 40
    responses = sample(model, prompts, torch.Generator().manual_seed(0))
    assert responses.shape == (40, MAX_RESPONSE_LEN)
    ended = [row.index(tokenizer.eos_token_id) for row in responses.tolist() if tokenizer.eos_token_id in row]
    rows = [row for row in responses.tolist() if tokenizer.eos_token_id in row]
    assert rows  # 40 rows of 8 tokens out of some 130
    for row, end in zip(rows, ended):
        assert set(row[end + 1 :]) <= {tokenizer.pad_token_id}


def test_the_base_model_is_its_seed_and_learns():
    tokenizer, losses, weights = build_tokenizer(), [], []
    for _ in range(2):
        model = base_model.build_model(tokenizer, seed=5)
        losses.append([])
        base_model.train(model, tokenizer, seed=5, steps=6, report=lambda step, loss: losses[-1].append(loss))
        weights.append(model.lm_head.weight.detach())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-3, atol=1e-5)
    assert losses[0][-1] < losses[0][0] - 0.3


def test_the_saved_folder_is_a_model_and_a_tokenizer(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(task, "NUM_VALIDATION", 4)  # the measurement is the slow part
    monkeypatch.setattr(sys, "argv", ["base_model", "--output", str(tmp_path), "--seed", "1", "--steps", "1"])
    base_model.main()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert model.config.model_type == "qwen3"
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config.vocab_size == len(tokenizer)
    turn = "Encode: otter maple comet.\n\nCorrectly solve the original question."
    assert chat_ids(tokenizer, turn) == chat_ids(build_tokenizer(), turn)
    assert (tokenizer.eos_token, tokenizer.padding_side) == ("<|im_end|>", "left")
    accuracies = json.loads((tmp_path / "accuracy.json").read_text())
    assert set(accuracies) == {"without_hint", "without_hint_greedy", "self_teacher", "self_teacher_greedy"}
    assert "self-teacher" in capsys.readouterr().out


def test_the_data_files_hold_the_tasks_questions(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_data", "--output", str(tmp_path), "--seed", "2"])
    make_data.main()
    for name, split, items in (
        ("train", "train", task.train_items(2)),
        ("val", "test", task.validation_items(2)),
    ):
        rows = pq.read_table(tmp_path / f"{name}.parquet").to_pylist()
        assert check_rows(rows) == []
        assert [row["prompt"] for row in rows] == [[{"role": "user", "content": item.question}] for item in items]
        assert [row["reward_model"]["ground_truth"] for row in rows] == [item.answer for item in items]
        assert {row["extra_info"]["split"] for row in rows} == {split}
        assert {row["data_source"] for row in rows} == {"quickstart/passphrase"}
        assert {row["privileged_context"] for row in rows} == {None}
