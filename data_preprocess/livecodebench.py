# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""LiveCodeBench's code generation problems as rows of the schema; by default version 6, those of February to May 2025.

python -m data_preprocess.livecodebench --input test6.jsonl --output FOLDER
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

from data_preprocess.code_prompts import (
    STDIN_CALL,
    add_time_limit,
    check_time_limit,
    code_prompt,
    function_call,
    how_tested,
)
from data_preprocess.code_tests import CodeTest, code_ground_truth
from data_preprocess.command import run
from data_preprocess.dataset import DEFAULT_SEED, Dataset, LeftOut, Place, Record, Refused, Row, text_field
from data_preprocess.livecodebench_tests import function_name, function_signature, halves, private_and_public_tests
from data_preprocess.schema import chat_prompt, make_row

V6_FROM, V6_UNTIL, NUM_V6 = date(2025, 2, 1), date(2025, 5, 31), 131
# The hub's main branch has a file for each release's new problems; test.jsonl has the oldest.
V6_FILE = "test6.jsonl"
# arXiv 2601.20802, Table 10: the questions of test-time training, by their number within version 6, from 0.
PAPER_QUESTIONS = (1, 3, 10, 43, 46, 59, 69, 74, 86, 91, 92, 95, 100, 103, 111, 120, 125, 127, 129)
PAPER_WORD = "paper"
# What the benchmark's own harness allows; the published prompt said 1.
DEFAULT_SECONDS = 6.0
# Signatures use List and the like without importing them, as on the site they come from.
_SETUP = "from typing import *\n"


class Numbers:
    """The problems of the window by number, from 0, in the order of the source, for each split by itself.

    These numbers are the same whether the source is one release or all of them, unlike row numbers.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, dict[int, int]] = {}

    def of(self, place: Place) -> int:
        """The number of the problem at ``place``, which is given at the first call and kept."""
        known = self._numbers.setdefault(place.split, {})
        return known.setdefault(place.row, len(known))

    def count(self, split: str) -> int:
        """How many problems have a number."""
        return len(self._numbers.get(split, {}))


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One problem as a row; train and test differ in the tests of the ground truth only.

    Raises:
        LeftOut: its contest was before or after the window.
        Refused: why this record cannot be a row.
    """
    held_on = contest_date(record)
    if not options.since <= held_on <= options.until:
        raise LeftOut("--from and --until")
    number = options.numbers.of(place)
    question, question_id = text_field(record, "question_content"), text_field(record, "question_id")
    kind, private, public = private_and_public_tests(record)
    extra = [test for test in public if test not in private] if options.with_public_tests else []
    tests, which = _tests_of_split(private, question_id, place.split, options)
    function, call = None, STDIN_CALL
    if kind == "function":
        function = function_name(record)
        call = function_call(function_signature(text_field(record, "starter_code"), function))
    # The bound and not the number, so that both splits have the same prompt.
    num_shown = sum(test.is_public for test in extra + private)
    testing = how_tested(len(extra) + len(private), num_shown, options.time_limit, at_most=True)
    return make_row(
        data_source="code/livecodebench_v6",
        prompt=chat_prompt(code_prompt(question, call, testing)),
        ground_truth=code_ground_truth(
            kind,
            extra + tests,
            time_limit=options.time_limit,
            function=function,
            setup=_SETUP if kind == "function" else "",
        ),
        ability="code",
        split=place.split,
        index=number,
        source_id=question_id,
        details={
            "contest_date": held_on.isoformat(),
            "difficulty": text_field(record, "difficulty", may_be_missing=True),
            "platform": text_field(record, "platform", may_be_missing=True),
            "private_tests": which,
        },
    )


def contest_date(record: Record) -> date:
    """The day of the contest, which the source's JSON has as text and its parquet as a time.

    Raises:
        Refused: ``contest_date`` is missing or is none.
    """
    value = record.get("contest_date")
    if not isinstance(value, datetime):
        text = text_field(record, "contest_date")
        try:
            value = datetime.fromisoformat(text)
        except ValueError as error:
            raise Refused(f"'contest_date' {text!r} is no date", "'contest_date' is no date") from error
    return value.date()


def _tests_of_split(
    private: Sequence[CodeTest], question_id: str, split: str, options: argparse.Namespace
) -> tuple[list[CodeTest], str]:
    seed = DEFAULT_SEED if options.seed is None else options.seed
    train, rest = halves(len(private), question_id, seed)
    if options.split_tests == "held-out" and not rest:
        # In train too: both splits are to have the same questions.
        raise Refused("'private_test_cases' has one test, which has no halves")
    if split == "train":
        return [private[number] for number in train], "half"
    if options.split_tests == "held-out":
        return [private[number] for number in rest], "other half"
    return list(private), "all"


def _facts(row: Row) -> Iterator[str]:
    """Table lines on kinds, difficulties and tests."""
    truth, details = (json.loads(text) for text in (row["reward_model"]["ground_truth"], row["extra_info"]["details"]))
    yield f"problems by {truth['kind']}"
    yield f"difficulty: {details['difficulty']}"
    yield from ("tests (public)" if test["is_public"] else "tests (private)" for test in truth["tests"])


def _remarks(split: str, options: argparse.Namespace) -> Iterator[str]:
    found = options.numbers.count(split)
    window = f"{options.since} to {options.until}"
    if (options.since, options.until) != (V6_FROM, V6_UNTIL):
        yield f"{found} problems from {window}"
    elif found == NUM_V6:
        yield f"{found} problems from {window}, as version 6 has"
    else:
        yield f"WARNING: {found} problems from {window}, version 6 has {NUM_V6}: not the whole release?"


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="since",
        type=date.fromisoformat,
        default=V6_FROM,
        metavar="DATE",
        help="first day of the contests; default: %(default)s",
    )
    parser.add_argument(
        "--until",
        type=date.fromisoformat,
        default=V6_UNTIL,
        metavar="DATE",
        help="last day of the contests; default: %(default)s",
    )
    parser.add_argument(
        "--split-tests",
        choices=("published", "held-out"),
        default="published",
        help="train has half of each problem's private tests; test has all of them, or the other half",
    )
    parser.add_argument(
        "--with-public-tests", action="store_true", help="both splits have the statement's examples among their tests"
    )
    add_time_limit(parser, f"default: {DEFAULT_SECONDS:g}")


def _check_options(options: argparse.Namespace) -> None:
    """Puts the paper's questions in place of their word, and begins to number."""
    check_time_limit(options)
    options.time_limit = options.time_limit or DEFAULT_SECONDS
    if options.since > options.until:
        raise ValueError(f"--from {options.since} is after --until {options.until}")
    options.numbers = Numbers()
    newest = Path(options.input or "") / V6_FILE
    if (options.since, options.until) == (V6_FROM, V6_UNTIL) and newest.is_file():
        options.input = str(newest)
    if PAPER_WORD in options.single_question:
        if (options.since, options.until) != (V6_FROM, V6_UNTIL):
            raise ValueError(
                f"--single-question {PAPER_WORD} are numbers within version 6: leave out --from and --until"
            )
        others = [name for name in options.single_question if name != PAPER_WORD]
        options.single_question = [*others, *map(str, PAPER_QUESTIONS)]


DATASET = Dataset(
    name="livecodebench",
    convert=convert,
    splits={"train": "test", "test": "test"},
    hub_id="livecodebench/code_generation_lite",
    # The main branch is a loading script, which datasets has ceased to run; this has the same rows as parquet.
    revision="refs/pr/6",
    add_options=_add_options,
    check_options=_check_options,
    facts=_facts,
    remarks=_remarks,
    question_words=f"; {PAPER_WORD}: the {len(PAPER_QUESTIONS)} questions of arXiv 2601.20802, Table 10",
    index_meaning="problems of the window, from 0",
    uses_seed=True,
    # Both splits ask the same questions by design.
    on_overlap="keep",
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
