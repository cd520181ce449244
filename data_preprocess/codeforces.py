# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Codeforces problems with their official tests (open-r1/codeforces) as rows of the schema.

python -m data_preprocess.codeforces --output FOLDER --streaming --limit 100
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence

from data_preprocess.code_prompts import STDIN_CALL, add_time_limit, check_time_limit, code_prompt, how_tested
from data_preprocess.code_tests import CodeTest, code_ground_truth, seconds_or_mib
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, LeftOut, Place, Record, Refused, Row, text_field
from data_preprocess.schema import chat_prompt, make_row


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One problem as a row. The editorial, which explains the solution, never reaches the prompt.

    Raises:
        LeftOut: its official tests are incomplete.
        Refused: why this record cannot be a row.
    """
    if record.get("input_mode") not in (None, "stdio"):
        raise Refused(f"'input_mode' is {record['input_mode']!r}, not 'stdio'", "'input_mode' is not 'stdio'")
    if text_field(record, "interaction_format", may_be_missing=True):
        raise Refused("'interaction_format': the problem is interactive")
    if not isinstance(record.get("official_tests_complete"), bool):
        raise Refused("'official_tests_complete' must be true or false")
    if not record["official_tests_complete"] and not options.with_incomplete_tests:
        raise LeftOut("--no-with-incomplete-tests")
    examples = pairs(record, "examples")
    public = set(examples)
    tests = [CodeTest(*pair, pair in public) for pair in pairs(record, "official_tests")]
    if not tests:
        raise Refused("'official_tests' is empty")
    seconds = options.time_limit or seconds_or_mib(record, "time_limit")
    if seconds is None:
        raise Refused("'time_limit' is missing or null: give --time-limit")
    memory = seconds_or_mib(record, "memory_limit")
    testing = how_tested(len(tests), sum(test.is_public for test in tests), seconds, memory)
    return make_row(
        data_source="code/codeforces",
        prompt=chat_prompt(
            code_prompt(statement(record, "input_format", "output_format", examples), STDIN_CALL, testing)
        ),
        ground_truth=code_ground_truth(
            "stdin",
            tests,
            time_limit=seconds,
            memory_limit=memory,
            checker=text_field(record, "generated_checker", may_be_missing=True),
        ),
        ability="code",
        split=place.split,
        index=place.row,
        privileged_context=text_field(record, "editorial", may_be_missing=True) if options.with_editorial else None,
        source_id=text_field(record, "id"),
        details={"rating": record.get("rating"), "has_all_official_tests": record["official_tests_complete"]},
    )


def statement(record: Record, input_field: str, output_field: str, examples: Sequence[tuple[str, str]]) -> str:
    """The problem as on the site: title, description, input, output, examples, note.

    The note explains the examples, so it is left out without them.

    Raises:
        Refused: title, description or output format is missing.
    """
    parts = [f"# {text_field(record, 'title')}", text_field(record, "description")]
    # A few problems have no input.
    given = text_field(record, input_field, may_be_missing=True)
    parts += [f"## Input\n\n{given}"] if given else []
    parts.append(f"## Output\n\n{text_field(record, output_field)}")
    for number, (shown, answer) in enumerate(examples, 1):
        parts.append(f"## Example {number}\n\nInput:\n```\n{shown.rstrip()}\n```\nOutput:\n```\n{answer.rstrip()}\n```")
    note = text_field(record, "note", may_be_missing=True)
    parts += [f"## Note\n\n{note}"] if note and examples else []
    return "\n\n".join(parts)


def pairs(record: Record, field: str) -> list[tuple[str, str]]:
    """Input and output of the tests in ``record[field]``, given as objects or as pairs; none where it is null.

    Raises:
        Refused: it is anything else.
    """
    tests = record.get(field)
    if tests is None:
        return []
    if not isinstance(tests, list | tuple):
        raise Refused(f"{field!r} must be a list of tests, is {type(tests).__name__}")
    found = [(test.get("input"), test.get("output")) if isinstance(test, Mapping) else test for test in tests]
    for number, pair in enumerate(found):
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise Refused(f"{field!r}: test {number} must have the texts input and output", f"{field!r} is not sound")
    return [(pair[0], pair[1]) for pair in found]


def _facts(row: Row) -> Iterator[str]:
    """Table line on tests."""
    if '"has_all_official_tests": false' in row["extra_info"]["details"]:
        yield "problems with incomplete official tests"


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_time_limit(parser, "default: the problem's own")
    parser.add_argument(
        "--with-editorial", action="store_true", help="privileged_context has the editorial, for the teacher"
    )
    parser.add_argument(
        "--with-incomplete-tests",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="keep problems some of whose official tests the source lacks; wrong programs may pass them",
    )


DATASET = Dataset(
    name="codeforces",
    convert=convert,
    hub_id="open-r1/codeforces",
    hub_config="verifiable",
    add_options=_add_options,
    check_options=check_time_limit,
    facts=_facts,
    # A row takes seconds, and there are some 10,000.
    check_rows=100,
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
