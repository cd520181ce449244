# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""HumanEval+ (EvalPlus) as rows of the schema: functions to complete, tested by assertions.

python -m data_preprocess.humaneval_plus --input test.parquet --output FOLDER
"""

import argparse
import ast
import sys

from data_preprocess.answer_forms import program
from data_preprocess.code_prompts import add_time_limit, check_time_limit, code_prompt, how_tested
from data_preprocess.code_tests import CodeTest, code_ground_truth
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, Place, Record, Refused, Row, text_field
from data_preprocess.schema import chat_prompt, make_row

# One test runs all of a problem's inputs, up to a few thousand.
DEFAULT_SECONDS = 30.0
_CALL = "Complete the function below and repeat its signature and imports. The tests call it by its name."


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One problem as a row.

    Raises:
        Refused: why this record cannot be a row.
    """
    prompt, name = text_field(record, "prompt"), text_field(record, "entry_point")
    solution = solution_response(record)
    problem = f"```python\n{prompt.strip()}\n```"
    return make_row(
        data_source="code/humaneval_plus",
        prompt=chat_prompt(code_prompt(problem, _CALL, how_tested(1, 0, options.time_limit))),
        ground_truth=code_ground_truth(
            "asserts",
            [CodeTest(check_source(text_field(record, "test"), name), "")],
            time_limit=options.time_limit,
            function=name,
            setup=setup_source(prompt, name),
        ),
        ability="code",
        split=place.split,
        index=place.row,
        privileged_context=solution if options.with_solution else None,
        source_id=text_field(record, "task_id"),
    )


def solution_response(record: Record) -> str:
    """The reference solution as a response: what the prompt begins, completed.

    Raises:
        Refused: the record has none.
    """
    return program(text_field(record, "prompt") + text_field(record, "canonical_solution"))


def check_source(test: str, function: str) -> str:
    """The published test, which defines ``check``, with a call of it at the end where there is none.

    Raises:
        Refused: it is not Python, or does not define ``check``.
    """
    body = parsed(test, "test").body
    if not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in body):
        raise Refused("'test' does not define 'check'")
    calls = (node.value.func for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    if any(isinstance(called, ast.Name) and called.id == "check" for called in calls):
        return test
    return f"{test.rstrip()}\n\n\ncheck({function})\n"


def setup_source(prompt: str, function: str) -> str:
    """What the prompt gives besides the function: imports, and helpers that its tests use too.

    Raises:
        Refused: the prompt is not Python, or does not define the function.
    """
    body = parsed(prompt, "prompt").body
    given = [node for node in body if not (isinstance(node, ast.FunctionDef) and node.name == function)]
    if len(given) == len(body):
        raise Refused(f"'entry_point' {function!r} is not defined in 'prompt'", "'entry_point' is not in 'prompt'")
    return "".join(f"{ast.get_source_segment(prompt, node)}\n" for node in given)


def parsed(source: str, field: str) -> ast.Module:
    """The syntax tree of a field's source.

    Raises:
        Refused: it is not Python.
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"{field!r} is not Python: {error}", f"{field!r} is not Python") from error


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of both EvalPlus datasets."""
    add_time_limit(parser, f"default: {DEFAULT_SECONDS:g}")
    parser.add_argument(
        "--with-solution", action="store_true", help="privileged_context has the reference solution, for the teacher"
    )


def check_options(options: argparse.Namespace) -> None:
    """Settles the time limit."""
    check_time_limit(options)
    options.time_limit = options.time_limit or DEFAULT_SECONDS


DATASET = Dataset(
    name="humaneval_plus",
    convert=convert,
    splits={"test": "test"},
    hub_id="evalplus/humanevalplus",
    add_options=add_options,
    check_options=check_options,
    solution=solution_response,
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
