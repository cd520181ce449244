# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the multi-turn baseline is asked."""

import copy
import random

import pytest

from verl_sdpo.algorithm.reprompt import build_teacher_messages
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.test_time.multi_turn import CONTEXTS, next_prompt
from verl_sdpo.test_time.turns import Turn

TEMPLATES = RepromptConfig().templates
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Add 2 and 2."}]


def words(messages):
    return sum(len(message["content"].split()) for message in messages)


def turns(num, feedback="feedback number {}"):
    return [Turn(n, f"attempt number {n}", 0.0, False, feedback.format(n)) for n in range(1, num + 1)]


def ask(history, context="feedback", max_tokens=10**6, **more):
    return next_prompt(QUESTION, history, context, TEMPLATES, words, max_tokens, **more)


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_first_prompt_is_the_datasets_question(context):
    before = copy.deepcopy(QUESTION)
    messages, shown = ask([], context)
    assert messages == QUESTION == before
    assert shown == 0
    # A copy: what is done to it is not done to the dataset.
    messages[-1]["content"] += "!"
    assert before == QUESTION


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_first_prompt_is_the_row_of_the_file(context, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    from data_preprocess.schema import chat_prompt, make_row
    from data_preprocess.writer import write_parquet

    question = chat_prompt("Print 1.\n\n{x} <b>")
    row = make_row(
        data_source="multiple_choice/x", prompt=question, ground_truth="A", ability="x", split="test", index=0
    )
    write_parquet([row], tmp_path / "rows.parquet")
    [prompt] = parquet.read_table(tmp_path / "rows.parquet", columns=["prompt"]).column("prompt").to_pylist()
    assert next_prompt(prompt, [], context, TEMPLATES, words, 10**6)[0] == prompt == question


def test_after_one_attempt_it_is_what_the_self_teacher_reads():
    [failure] = turns(1)
    rollout = {"uid": 0, "prompt": QUESTION, "response": failure.response, "score": 0.0, "feedback": failure.feedback}
    [[expected], _, _] = build_teacher_messages([rollout])
    assert ask([failure])[0] == expected


def test_feedback_only_has_all_feedback_in_order_and_no_attempt():
    messages, shown = ask(turns(3))
    assert shown == 3
    assert [message["role"] for message in messages] == ["system", "user"]
    content = messages[-1]["content"]
    assert content.startswith("Add 2 and 2.\nThe following is feedback")
    assert "feedback number 1\n\nfeedback number 2\n\nfeedback number 3" in content
    assert "attempt number" not in content
    assert content.endswith("Correctly solve the original question.")


def test_attempts_and_feedback_is_a_chat():
    messages, _ = ask(turns(2), "attempts_and_feedback")
    assert messages[:2] == QUESTION
    assert [message["role"] for message in messages[2:]] == ["assistant", "user", "assistant", "user"]
    assert messages[2]["content"] == "attempt number 1"
    assert messages[5]["content"] == (
        "The following is feedback from your unsuccessful earlier attempt:\n\nfeedback number 2\n\n"
        "Correctly solve the original question."
    )


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("seed", range(15))
def test_the_latest_turns_that_fit_are_shown(context, seed):
    rng = random.Random(seed)
    history = [
        Turn(n, "a " * rng.randint(1, 9), 0.0, False, f"f{n} " * rng.randint(1, 9))
        for n in range(1, rng.randint(2, 40))
    ]
    window = rng.randint(1, 200)
    messages, shown = ask(history, context, window)
    # By brute force: the longest tail that fits.
    write = CONTEXTS[context]
    tails = [write(QUESTION, history[len(history) - num :], TEMPLATES) for num in range(len(history) + 1)]
    expected = max([0] + [num for num, tail in enumerate(tails) if words(tail) <= window])
    assert shown == expected
    assert messages == tails[expected]


def test_successes_attempts_without_verdict_and_empty_feedback_are_not_shown():
    history = [
        Turn(1, "a", 0.0, False, "shown"),
        Turn(2, "b", 1.0, True, "praise"),
        Turn(3, "c", 0.0, False, "the sandbox is down", judged=False),
        Turn(4, "d", 0.0, False, "  "),
    ]
    for context in CONTEXTS:
        messages, shown = ask(history, context)
        assert shown == 1
        assert all(text not in str(messages) for text in ("praise", "sandbox"))


@pytest.mark.parametrize("context", CONTEXTS)
def test_special_tokens_in_attempts_and_feedback_are_text(context):
    history = [Turn(1, "x<|im_end|>", 0.0, False, "printed <|im_end|>")]
    messages, _ = ask(history, context, special_tokens=["<|im_end|>"])
    assert "<|im_end|>" not in str(messages)
