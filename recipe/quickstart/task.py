# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The quickstart's task: turn words into a passphrase, with a code book of which the model lacks a page.

Every plain word has a code word. The base model knows the code words of `KNOWN_WORDS` from its pre-training; those of
`NEW_WORDS` it has never seen, so that three new words are a guess among 16 ** 3 passphrases. A reward of 0 or 1 is then
0 nearly always and teaches nothing; the feedback names the expected passphrase.

What there is to learn are 8 facts, the new page; as many as `new_words` has where a function is given others. Training
and validation ask for different combinations of the same new words: the validation set measures whether the page was
learned and can be used for unseen questions, not whether the model could guess code words that no feedback ever
mentioned.
"""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

DATA_SOURCE = "quickstart/passphrase"
QUESTION = "Encode: {words}."
# What turns a question into one that carries its own answer; the words are those of the reward's feedback.
STATED_ANSWER = " Expected answer: {answer}."
WORDS_PER_QUESTION = 3
CODE_WORDS = tuple(
    "alfa bravo delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec".split()
)
# The quickstart asks for the first eight; `simulation.py` can ask for more.
ALL_NEW_WORDS = tuple(
    "otter maple comet river amber falcon cedar tulip marble harbor willow lantern copper meadow pebble thunder".split()
)
NEW_WORDS = ALL_NEW_WORDS[:8]
KNOWN_WORDS = tuple(
    (
        "apple bread chair dance eagle flame grape house island jewel knife lemon money night ocean paper queen radio "
        "sugar table uncle violin water yard zebra anchor basket candle dragon engine feather garden hammer insect "
        "jacket kettle ladder mirror needle orange pencil quilt rabbit saddle ticket umbrella valley window"
    ).split()
)

TRAIN_NEW, TRAIN_KNOWN, TRAIN_STATED = 256, 128, 128  # training questions of each kind
NUM_VALIDATION = 64
# What both methods spend in a training step.
PROMPTS_PER_STEP, ROLLOUTS_PER_PROMPT = 16, 8
GENERATIONS_PER_STEP = PROMPTS_PER_STEP * ROLLOUTS_PER_PROMPT


class Item(NamedTuple):
    """A question and its answer; `kind` is `new`, `known` or `stated`."""

    question: str
    answer: str
    kind: str


def new_page(seed: int, new_words: Sequence[str] = NEW_WORDS) -> dict[str, str]:
    """The code words that the base model has not seen. Depends on its arguments only, as all of this module does."""
    rng = random.Random(f"new page {seed}")
    return {word: rng.choice(CODE_WORDS) for word in new_words}


def known_page(seed: int) -> dict[str, str]:
    """The code words that the base model of the same seed knows."""
    rng = random.Random(f"known page {seed}")
    return {word: rng.choice(CODE_WORDS) for word in KNOWN_WORDS}


def ask(words: tuple[str, ...] | list[str]) -> str:
    """The question for these words."""
    return QUESTION.format(words=" ".join(words))


def encode(words: tuple[str, ...] | list[str], page: dict[str, str]) -> str:
    """The passphrase of these words."""
    return " ".join(page[word] for word in words)


def draw_answer(rng: random.Random, num_words: int = WORDS_PER_QUESTION) -> str:
    """A passphrase at random, of no particular words."""
    return " ".join(rng.choice(CODE_WORDS) for _ in range(num_words))


def validation_items(seed: int, new_words: Sequence[str] = NEW_WORDS) -> list[Item]:
    """`NUM_VALIDATION` questions of new words only, nothing stated. None of them is a training question."""
    page = new_page(seed, new_words)
    return [Item(ask(words), encode(words, page), "new") for words in _new_triples(seed, new_words)[:NUM_VALIDATION]]


def train_items(seed: int, new_words: Sequence[str] = NEW_WORDS) -> list[Item]:
    """The training questions: half about new words, a quarter about known ones, a quarter that state their answer.

    The last two kinds the base model can do. They are there because a model as small as this one forgets what it does
    not practise, and a teacher that follows it would forget how to read the feedback.
    """
    page, rng = known_page(seed), random.Random(f"train {seed}")
    new, items = new_page(seed, new_words), []
    items += [Item(ask(words), encode(words, new), "new") for words in _new_triples(seed, new_words)[NUM_VALIDATION:]]
    for _ in range(TRAIN_KNOWN):
        words = rng.sample(KNOWN_WORDS, WORDS_PER_QUESTION)
        items.append(Item(ask(words), encode(words, page), "known"))
    for index in range(TRAIN_STATED):
        # Half about new words only, as in the questions whose feedback the teacher reads.
        choice = new_words if index % 2 else (*new_words, *KNOWN_WORDS)
        words, answer = rng.sample(choice, WORDS_PER_QUESTION), draw_answer(rng)
        items.append(Item(state(ask(words), answer), answer, "stated"))
    return items


def state(question: str, answer: str) -> str:
    """The question with its answer beside it, which counts even where the code book says otherwise."""
    return question + STATED_ANSWER.format(answer=answer)


def _new_triples(seed: int, new_words: Sequence[str]) -> list[tuple[str, ...]]:
    """Different orders of different new words, the validation questions' first."""
    rng, triples, num_triples = random.Random(f"questions {seed}"), {}, NUM_VALIDATION + TRAIN_NEW
    if math.perm(len(new_words), WORDS_PER_QUESTION) < num_triples:
        raise ValueError(f"{len(new_words)} new words make fewer than {num_triples} questions: give 8 or more")
    while len(triples) < num_triples:
        triples[tuple(rng.sample(new_words, WORDS_PER_QUESTION))] = None
    return list(triples)
