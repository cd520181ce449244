# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The task of the CPU demonstration: find a hidden code of a few words from being told how many are right.

A question names something; the code that goes with it was drawn at random and is nowhere in the model. The feedback on
an attempt repeats it and says how many of its words are right, not which: no single feedback contains the answer.
"""

import random
from typing import NamedTuple

DATA_SOURCE = "test_time/hidden_code"
QUESTION = "Guess the code of {name}."
FEEDBACK = "{attempt}: {count} right."
NO_CODE = "{length} words: no code."
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
    if len(given) != len(expected):
        return NO_CODE.format(length=min(len(given), 9))
    count = sum(a == b for a, b in zip(given, expected))
    return FEEDBACK.format(attempt=attempt, count=count)
