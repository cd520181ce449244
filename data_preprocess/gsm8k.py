# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""GSM8K: word problems of primary school, as rows of the schema.

python -m data_preprocess.gsm8k --input FOLDER_OR_FILE --output FOLDER
"""

import argparse
import re
import sys

from data_preprocess.answer_forms import boxed
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, Place, Record, Refused, Row, text_field
from data_preprocess.math_rows import add_solution_option, math_row, whole_number

_ANSWER_MARK = "####"
# What upstream's calculator read, such as <<48/2=24>>.
_CALCULATION = re.compile(r"<<[^<>]*>>")


def split_answer(answer: str) -> tuple[str, str]:
    """The worked steps and the number behind the last ``####``.

    Raises:
        Refused: there is no such mark, or no whole number behind it.
    """
    steps, mark, number = answer.rpartition(_ANSWER_MARK)
    if not mark:
        raise Refused(f"'answer' has no {_ANSWER_MARK!r} before its number")
    return steps.strip(), whole_number(number.strip().removeprefix("$"), "answer")


def worked_solution(steps: str, number: str) -> str:
    """The steps as a response to our prompt would read: no calculator's notes, and the number in a box."""
    return f"{_CALCULATION.sub('', steps)}\n\n{boxed(number)}".strip()


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One problem as a row.

    Raises:
        Refused: why this record cannot be a row.
    """
    problem = text_field(record, "question")
    steps, number = split_answer(text_field(record, "answer"))
    solution = worked_solution(steps, number) if options.solution_as_context else None
    return math_row(place, problem, number, data_source="gsm8k", solution=solution)


DATASET = Dataset(
    name="gsm8k", convert=convert, hub_id="openai/gsm8k", hub_config="main", add_options=add_solution_option
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
