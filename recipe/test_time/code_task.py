# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The task of the CPU demonstration: find a hidden code of a few words from being told which words were right.

A question names something; the code that goes with it was drawn at random and is nowhere in the model. The feedback on
an attempt repeats the words of it that are right, and says nothing about the others: not what would be right there.
"""

import random
from typing import NamedTuple

DATA_SOURCE = "test_time/hidden_code"
QUESTION = "Guess the code of {name}."
FEEDBACK = "Right: {words}."
WRONG_WORD = "-"
CODE_LENGTH = 3
CODE_WORDS = tuple("alfa bravo delta echo foxtrot golf hotel india juliett kilo".split())
NAMES = tuple(
    (
        "otter maple comet river amber falcon cedar tulip marble harbor willow lantern copper meadow pebble thunder "
        "apple bread chair dance eagle flame grape house"
    ).split()
)


class Item(NamedTuple):
    """A question and its code."""

    question: str
    code: str


def items(seed: int) -> list[Item]:
    """One question for each of `NAMES`. Depends on the seed only."""
    rng = random.Random(f"hidden codes {seed}")
    return [Item(QUESTION.format(name=name), draw_code(rng)) for name in NAMES]


def draw_code(rng: random.Random) -> str:
    """A code, each as likely."""
    return " ".join(rng.choice(CODE_WORDS) for _ in range(CODE_LENGTH))


def feedback_on(attempt: str, code: str) -> str:
    """What is said about an attempt; empty where it is the code."""
    given, expected = attempt.split(), code.split()
    if given == expected:
        return ""
    given += [WRONG_WORD] * len(expected)
    return FEEDBACK.format(words=" ".join(a if a == b else WRONG_WORD for a, b in zip(given, expected)))
