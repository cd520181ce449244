# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The quickstart task"""

import random

DATA_SOURCE = "quickstart/code_book"
PHRASE_LENGTH = 3
CODE_WORDS = [
    "alfa",
    "bravo",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliett",
    "kilo",
    "lima",
    "mike",
    "november",
    "oscar",
    "papa",
    "quebec",
]
SECRET_WORDS = [
    "otter",
    "maple",
    "comet",
    "river",
    "amber",
    "falcon",
    "cedar",
    "tulip",
    "marble",
    "harbor",
    "willow",
    "lantern",
    "copper",
    "meadow",
    "pebble",
    "thunder",
]
KNOWN_WORDS = [
    "apple",
    "bread",
    "chair",
    "dance",
    "eagle",
    "flame",
    "grape",
    "house",
    "island",
    "jewel",
    "knife",
    "lemon",
    "money",
    "night",
    "ocean",
    "paper",
    "queen",
    "radio",
    "sugar",
    "table",
    "uncle",
    "violin",
    "water",
    "yard",
    "zebra",
    "anchor",
    "basket",
    "candle",
    "dragon",
    "engine",
    "feather",
    "garden",
    "hammer",
    "insect",
    "jacket",
    "kettle",
    "ladder",
    "mirror",
    "needle",
    "orange",
    "pencil",
    "quilt",
    "rabbit",
    "saddle",
    "ticket",
    "umbrella",
    "valley",
    "window",
]
QUESTION = "Encode: {words}."
DEMONSTRATION_SECTION = "\nCorrect solution:\n\n{demonstration}"
FEEDBACK_SECTION = "\nThe following is feedback from your unsuccessful earlier attempt:\n\n{feedback}"
CLOSING = "\n\nCorrectly solve the original question."


def secret_page(seed):
    rng = random.Random(f"secret/{seed}")
    return {w: rng.choice(CODE_WORDS) for w in SECRET_WORDS}


def known_page(seed):
    rng = random.Random(f"known/{seed}")
    return {w: rng.choice(CODE_WORDS) for w in KNOWN_WORDS}


def reprompt(question, demonstration=None, feedback=None):
    text = question
    if demonstration:
        text += DEMONSTRATION_SECTION.format(demonstration=demonstration)
    if feedback:
        text += FEEDBACK_SECTION.format(feedback=feedback)
    if demonstration or feedback:
        text += CLOSING
    return text
