# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the quickstart's base model is pre-trained on: everything but the code words of the new words.

It learns the known page; to write three code words, any three, for words it does not know; and to write what a
demonstration, feedback or the question itself says is the answer, whatever the words. The answers of the last are drawn
at random for every example, so there is nothing in them to learn by heart.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from recipe.quickstart import task
from verl_sdpo.algorithm.reprompt import Reprompt
from verl_sdpo.algorithm.reprompt_config import RepromptConfig
from verl_sdpo.rewards.passphrase import compute_score

_TEMPLATES = RepromptConfig().templates
# Shares of the kinds of example.
KINDS = {"unknown": 0.15, "known": 0.25, "feedback": 0.3, "demonstration": 0.2, "stated": 0.1}


class Example(NamedTuple):
    """A user turn, the answer to learn, and the words that stand before each word of it in the model's input."""

    user_turn: str
    answer: list[str]
    written: list[str]


def draw_example(rng: random.Random, page: dict[str, str], new_words: Sequence[str] = task.NEW_WORDS) -> Example:
    """One example; `page` is the known page."""
    kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
    words = _draw_words(rng, kind, new_words)
    question = task.ask(words)
    if kind in ("known", "unknown"):
        # A fresh guess at every example, so that all guesses become equally likely.
        answer = " ".join(page.get(word) or rng.choice(task.CODE_WORDS) for word in words)
    else:
        answer = task.draw_answer(rng)
    if kind == "stated":
        question = task.state(question, answer)
    elif kind == "demonstration":
        question = teacher_turn(question, demonstration=answer)
    elif kind == "feedback":
        question = teacher_turn(question, feedback=compute_score(_draw_wrong(rng, answer), answer)["feedback"])
    return Example(question, answer.split(), _with_slips(rng, answer.split()))


def teacher_turn(question: str, demonstration: str | None = None, feedback: str | None = None) -> str:
    """What the self-teacher reads in place of the question, by the default templates."""
    prompt = ({"role": "user", "content": question},)
    return Reprompt(prompt, demonstration, feedback, None, _TEMPLATES).render()[-1]["content"]


def _draw_words(rng: random.Random, kind: str, new_words: Sequence[str]) -> list[str]:
    new_share = {"known": (0.0,), "unknown": (0.5, 1.0)}.get(kind, (0.0, 0.5, 1.0))
    share = rng.choice(new_share)
    return [rng.choice(new_words if rng.random() < share else task.KNOWN_WORDS) for _ in range(task.WORDS_PER_QUESTION)]


def _draw_wrong(rng: random.Random, answer: str) -> str:
    """An attempt that is not the answer: too short, too long, partly right, or just wrong."""
    right, wrong = answer.split(), answer
    while wrong == answer:
        guess = task.draw_answer(rng).split()
        shape = rng.random()
        if shape < 0.1:
            guess = guess[: rng.randrange(len(right))]
        elif shape < 0.2:
            guess += task.draw_answer(rng, rng.randint(1, 3)).split()
        elif shape < 0.6:
            guess = [rng.choice(pair) for pair in zip(guess, right)]
        wrong = " ".join(guess)
    return wrong


def _with_slips(rng: random.Random, answer: list[str]) -> list[str]:
    """The answer, in half of the cases with wrong words in it.

    The self-teacher reads the student's attempt word by word and has to know the next right word after wrong ones too.
    """
    if rng.random() < 0.5:
        return list(answer)
    return [rng.choice(task.CODE_WORDS) if rng.random() < 0.5 else word for word in answer]
