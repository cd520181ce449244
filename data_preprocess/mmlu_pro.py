# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""MMLU-Pro: multiple choice with up to ten options in 14 categories, as rows of the schema.

python -m data_preprocess.mmlu_pro --input FOLDER --output FOLDER
"""

import argparse
import re
import sys

from data_preprocess.answer_prompts import LETTERS
from data_preprocess.choice_rows import choice_facts, choice_row, shuffled
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, Place, Record, Refused, Row, identifier_field, text_field

# Upstream fills lists of fewer than ten options up with this.
_NO_OPTION = "N/A"


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One question as a row, without the entries that fill up its list of options.

    Raises:
        Refused: why this record cannot be a row.
    """
    question, category = text_field(record, "question").strip(), _slug(text_field(record, "category"))
    listed = _options(record)
    right = _right_position(record, listed)
    kept = [position for position, text in enumerate(listed) if text != _NO_OPTION]
    choices, right = [listed[position] for position in kept], kept.index(right)
    if options.shuffle_options:
        choices, right = shuffled(choices, right, place, options)
    return choice_row(
        place,
        question,
        choices,
        right,
        data_source=f"mmlu_pro/{category}",
        ability="knowledge",
        source_id=identifier_field(record, "question_id"),
    )


def _slug(category: str) -> str:
    """``computer science`` as ``computer_science``, for data sources become names of metrics."""
    slug = re.sub(r"\W+", "_", category.strip().lower()).strip("_")
    if not slug:
        raise Refused(f"'category' has no letter: {category[:80]!r}", "'category' has no letter")
    return slug


def _options(record: Record) -> list[str]:
    listed = record.get("options")
    if not isinstance(listed, list | tuple) or not all(isinstance(option, str) for option in listed):
        raise Refused("'options' must be a list of texts")
    if not all(option.strip() for option in listed):
        raise Refused("'options' has a blank one")
    if len(listed) > len(LETTERS):
        raise Refused(f"'options' has {len(listed)} entries, more than {len(LETTERS)}", "'options' has too many")
    return [option.strip() for option in listed]


def _right_position(record: Record, listed: list[str]) -> int:
    """Where the right option stands, if both columns that say so agree."""
    letter, position = text_field(record, "answer").strip(), record.get("answer_index")
    if not isinstance(position, int) or isinstance(position, bool):
        raise Refused(f"'answer_index' must be a whole number, is {type(position).__name__}")
    if not 0 <= position < len(listed):
        raise Refused(f"'answer_index' {position} is none of its {len(listed)} options", "'answer_index' is no option")
    if letter != LETTERS[position]:
        raise Refused(f"'answer' {letter[:20]!r} and 'answer_index' {position} differ", "'answer' and 'answer_index'")
    if listed[position] == _NO_OPTION:
        raise Refused(f"'answer' {letter!r} is an entry {_NO_OPTION!r}, no option", f"'answer' is {_NO_OPTION!r}")
    return position


def _add_options(parser: argparse.ArgumentParser) -> None:
    # Off: the right answer is spread over the letters already, and published scores are those of this order.
    parser.add_argument(
        "--shuffle-options", action="store_true", help="draw each question's order of options by --seed"
    )


def _check_options(options: argparse.Namespace) -> None:
    if options.seed is not None and options.limit is None and not options.shuffle_options:
        raise ValueError("--seed draws the order of options or the rows: give --shuffle-options or --limit too")


DATASET = Dataset(
    name="mmlu_pro",
    convert=convert,
    # 70 worked examples, which upstream calls validation; there is no split to train on.
    splits={"train": "validation", "test": "test"},
    hub_id="TIGER-Lab/MMLU-Pro",
    add_options=_add_options,
    check_options=_check_options,
    uses_seed=True,
    facts=choice_facts,
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
