# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""MBPP+ (EvalPlus) as rows of the schema: functions to write, tested by assertions, three of which the prompt shows.

python -m data_preprocess.mbpp_plus --input test.parquet --output FOLDER
"""

import argparse
import ast
import sys
from collections.abc import Sequence

from data_preprocess.answer_forms import program
from data_preprocess.code_prompts import code_prompt, how_tested
from data_preprocess.code_tests import CodeTest, code_ground_truth
from data_preprocess.command import run
from data_preprocess.dataset import Dataset, Place, Record, Refused, Row, text_field
from data_preprocess.humaneval_plus import add_options, check_options, parsed
from data_preprocess.schema import chat_prompt, make_row


def convert(record: Record, place: Place, options: argparse.Namespace) -> Row:
    """One problem as a row.

    Raises:
        Refused: why this record cannot be a row.
    """
    task, solution = text_field(record, "prompt"), text_field(record, "code")
    public, imports = _texts(record, "test_list"), _texts(record, "test_imports")
    if not public:
        raise Refused("'test_list' is empty")
    name = tested_function(public, solution)
    thorough = text_field(record, "test")
    parsed(thorough, "test")
    tests = [*(CodeTest(source, "", True) for source in public), CodeTest(thorough, "")]
    shown = "\n".join(public)
    call = f"The tests call the function {name}, which the code must define."
    return make_row(
        data_source="code/mbpp_plus",
        prompt=chat_prompt(
            code_prompt(
                f"{task}\n\n```python\n{shown}\n```",
                call,
                how_tested(len(tests), len(public), options.time_limit),
            )
        ),
        ground_truth=code_ground_truth(
            "asserts",
            tests,
            time_limit=options.time_limit,
            function=name,
            setup="".join(f"{line}\n" for line in imports),
        ),
        ability="code",
        split=place.split,
        index=place.row,
        privileged_context=_solution_response(record) if options.with_solution else None,
        source_id=_task_id(record),
    )


def _solution_response(record: Record) -> str:
    return program(text_field(record, "code").strip())


def tested_function(tests: Sequence[str], solution: str) -> str:
    """The function of the solution that the tests call.

    Raises:
        Refused: a test or the solution is not Python, or no test calls a function of the solution.
    """
    defined = [node.name for node in parsed(solution, "code").body if isinstance(node, ast.FunctionDef)]
    for test in tests:
        for node in ast.walk(parsed(test, "test_list")):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in defined:
                return node.func.id
    raise Refused("'test_list' calls no function that 'code' defines")


def _texts(record: Record, field: str) -> list[str]:
    texts = record.get(field)
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise Refused(f"{field!r} must be a list of texts, is {type(texts).__name__}")
    return list(texts)


def _task_id(record: Record) -> str:
    task = record.get("task_id")
    if isinstance(task, bool) or not isinstance(task, int | str) or not str(task).strip():
        raise Refused(f"'task_id' must be a number or a name, is {task!r}", "'task_id' is no number or name")
    return str(task)


DATASET = Dataset(
    name="mbpp_plus",
    convert=convert,
    splits={"test": "test"},
    hub_id="evalplus/mbppplus",
    add_options=add_options,
    check_options=check_options,
    solution=_solution_response,
)


if __name__ == "__main__":
    sys.exit(run(DATASET))
