# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Right and wrong programs for the tests of a ground truth, where the source has no solution to try."""

import hashlib
import json

from data_preprocess.answer_forms import program
from data_preprocess.dataset import NotTried, Row
from verl_sdpo.rewards.code_truth import CodeTruth, read_code_truth

# The program holds all outputs and is compiled for each test: at this size in some 50 ms.
MAX_OUTPUT_MIB = 2
_MIB = 2**20
_NO_OUTPUT = "none of the expected outputs"
_SCRIPT = """import hashlib
import sys

OUTPUTS = {table}
sys.stdout.write(OUTPUTS[hashlib.sha256(sys.stdin.buffer.read()).hexdigest()])"""
_FUNCTION = """import json

VALUES = {table}


def {function}(*arguments):
    return json.loads(VALUES[json.dumps(arguments)])"""


def expected_outputs(row: Row) -> str:
    """A response whose program knows the expected outputs by the inputs, as no student does.

    Raises:
        NotTried: asserts have no outputs, or the outputs are too large.
        ValueError: the ground truth is broken.
    """
    truth = _truth(row)
    if truth.kind == "asserts":
        raise NotTried("no solution is at hand")
    if sum(len(test.output) for test in truth.tests) > MAX_OUTPUT_MIB * _MIB:
        raise NotTried(f"expected outputs over {MAX_OUTPUT_MIB} MiB")
    if truth.kind == "stdin":
        # Only digests, since inputs may be large.
        table = {hashlib.sha256(test.input.encode()).hexdigest(): test.output for test in truth.tests}
        return program(_SCRIPT.format(table=ascii(table)))
    table = {json.dumps(json.loads(test.input)): test.output for test in truth.tests}
    return program(_FUNCTION.format(table=ascii(table), function=truth.function))


def other_output(row: Row) -> str:
    """A response whose program ends well, but writes or returns what no test expects.

    Raises:
        ValueError: the ground truth is broken.
    """
    truth = _truth(row)
    if truth.kind == "stdin":
        return program(f"print({_NO_OUTPUT!r})")
    # An object equals nothing else; None, an empty list or a number may be right.
    value = repr(_NO_OUTPUT) if truth.kind == "function" else "object()"
    return program(f"def {truth.function}(*arguments, **named):\n    return {value}")


def _truth(row: Row) -> CodeTruth:
    return read_code_truth(row["reward_model"]["ground_truth"])
