# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What datasets of multiple-choice questions share: from question and options to a row, and the table's lines."""

import argparse
from collections.abc import Iterator, Sequence

from data_preprocess.answer_prompts import LETTERS, choice_question, choice_system_prompt
from data_preprocess.dataset import Place, Refused, Row
from data_preprocess.schema import chat_prompt, make_row
from verl_sdpo.rewards.outcome import row_details


def choice_row(
    place: Place,
    question: str,
    options: Sequence[str],
    right: int,
    *,
    data_source: str,
    ability: str,
    source_id: str | None,
) -> Row:
    """One question as a row.

    Args:
        place: where its record stands.
        question: without its options.
        options: their texts, in the order in which they are to be shown.
        right: position of the right one, from 0.
        data_source: chooses the reward.
        ability: the kind of task.
        source_id: the source's own identifier.

    Raises:
        Refused: fewer than two options, or more than ten.
    """
    if not 2 <= len(options) <= len(LETTERS):
        raise Refused(f"needs 2 to 10 options, has {len(options)}")
    letters = LETTERS[: len(options)]
    # Only told, since a benchmark without such questions is no longer the published one.
    others = [letter for letter, text in zip(letters, options) if text == options[right] and letter != letters[right]]
    return make_row(
        data_source=data_source,
        prompt=chat_prompt(choice_question(question, options), choice_system_prompt(len(options))),
        ground_truth=letters[right],
        ability=ability,
        split=place.split,
        index=place.row,
        source_id=source_id,
        details={"options": letters} | ({"same_as_answer": "".join(others)} if others else {}),
    )


def shuffled(options: Sequence[str], right: int, place: Place, settings: argparse.Namespace) -> tuple[list[str], int]:
    """The options in the order that the row's own generator draws, and where the right one is then."""
    order = list(range(len(options)))
    place.random(settings).shuffle(order)
    return [options[position] for position in order], order.index(right)


def choice_facts(row: Row) -> Iterator[str]:
    """Table lines on options and answers."""
    details = row_details(row["extra_info"])
    yield f"questions with {len(details['options'])} options"
    yield f"answers {row['reward_model']['ground_truth']}"
    if "same_as_answer" in details:
        yield "right answer stands under two letters"
