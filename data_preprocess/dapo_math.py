# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""DAPO-Math-17k: problems for training, most with whole numbers as answers, as rows of the schema.

python -m data_preprocess.dapo_math --input dapo-math-17k.parquet --output FOLDER --deduplicate
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from data_preprocess.answer_forms import boxed
from data_preprocess.answer_prompts import boxed_question
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, Place, Record, Refused, Row, identifier_field, text_field
from data_preprocess.round_trip import other_number
from data_preprocess.schema import chat_prompt, make_row
from data_preprocess.uniqueness import prompt_hash

# Upstream's fixed text around each problem; its scorer looks for the line "Answer: ...".
INSTRUCTION_BEFORE = (
    "Solve the following math problem step by step. The last line of your response should be of the form "
    "Answer: $Answer (without quotes) where $Answer is the answer to the problem.\n\n"
)
INSTRUCTION_AFTER = '\n\nRemember to put your answer on its own line after "Answer:".'
_WHOLE = re.compile(r"-?\d+", re.ASCII)


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One problem as a row.

    Raises:
        Refused: why this record cannot be a row, or that an earlier row asks the same (``--deduplicate``).
    """
    content = _only_message(record)
    if options.strip_instruction:
        content = boxed_question(without_instruction(content))
    row = make_row(
        data_source="math/dapo",
        prompt=chat_prompt(content),
        ground_truth=text_field(_mapping(record, "reward_model"), "ground_truth").strip(),
        ability="math",
        split=place.split,
        index=place.row,
        source_id=identifier_field(_mapping(record, "extra_info"), "index"),
    )
    if options.deduplicate:
        _refuse_repeat(row, options.first_rows)
    return row


def without_instruction(content: str) -> str:
    """The problem alone.

    Raises:
        Refused: it does not stand between the known texts.
    """
    text = content.strip()
    if not text.startswith(INSTRUCTION_BEFORE.strip()) or not text.endswith(INSTRUCTION_AFTER.strip()):
        raise Refused("'prompt' lacks the instruction that --strip-instruction is to remove")
    problem = text[len(INSTRUCTION_BEFORE.strip()) : -len(INSTRUCTION_AFTER.strip())].strip()
    if not problem:
        raise Refused("'prompt' holds no problem between its instructions")
    return problem


def _only_message(record: Record) -> str:
    messages = record.get("prompt")
    if not isinstance(messages, list | tuple) or len(messages) != 1 or not isinstance(messages[0], Mapping):
        raise Refused("'prompt' must be a list of one {role, content} message")
    if messages[0].get("role") != "user":
        raise Refused(f"'prompt' has role {messages[0].get('role')!r}, not 'user'", "'prompt' is not the user's")
    try:
        return text_field(messages[0], "content")
    except Refused as refusal:
        raise Refused(f"'prompt': {refusal}", f"'prompt': {refusal.kind}") from refusal


def _mapping(record: Record, name: str) -> Mapping[str, Any]:
    value = record.get(name)
    if not isinstance(value, Mapping):
        raise Refused(f"{name!r} must be an object, is {type(value).__name__}")
    return value


def _refuse_repeat(row: Row, first_rows: dict[bytes, tuple[int, str]]) -> None:
    """Remembers the row that asks a question first, so that a second reading of the source decides the same."""
    index, answer = row["extra_info"]["index"], row["reward_model"]["ground_truth"]
    first, its_answer = first_rows.setdefault(prompt_hash(row), (index, answer))
    if first == index:
        return
    differs = "" if answer == its_answer else " with another answer"
    raise Refused(f"asks what row {first} asks{differs}", f"asks what an earlier row asks{differs} (--deduplicate)")


def _has_instruction(row: Row) -> bool:
    return row["prompt"][0]["content"].startswith(INSTRUCTION_BEFORE.strip())


def _response(row: Row, answer: str) -> str:
    # Upstream's prompt says $Answer, which models take for dollar signs around the answer.
    return f"Because.\n\nAnswer: ${answer}$" if _has_instruction(row) else f"Because.\n\n{boxed(answer)}"


def _facts(row: Row) -> Iterator[str]:
    """Table lines on answers and instructions."""
    if not _WHOLE.fullmatch(row["reward_model"]["ground_truth"]):
        yield "answers that are no whole number"
    if _has_instruction(row):
        yield "prompts with upstream's instruction"


def _add_options(parser: argparse.ArgumentParser) -> None:
    # Off like every removal of published rows; upstream says that each question is there about 100 times by accident.
    parser.add_argument("--deduplicate", action="store_true", help="keep the first row of each question only")
    parser.add_argument(
        "--strip-instruction",
        action="store_true",
        help="replace upstream's text around each problem ('Answer: ...') by a request for \\boxed{}",
    )


def _check_options(options: argparse.Namespace) -> None:
    options.first_rows = {}


DATASET = Dataset(
    name="dapo_math",
    convert=convert,
    splits={"train": "train"},
    hub_id="BytedTsinghua-SIA/DAPO-Math-17k",
    files={"train": ["dapo-math-17k*.parquet"]},
    add_options=_add_options,
    check_options=_check_options,
    gold_response=lambda row: _response(row, row["reward_model"]["ground_truth"]),
    wrong_response=lambda row: _response(row, other_number(row)),
    facts=_facts,
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
