# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One test of a program: run in the sandbox, judged outside of it."""

import json
import re
from collections.abc import Callable

from verl_sdpo.rewards.code_compare import same_output, same_value
from verl_sdpo.rewards.code_feedback import TestOutcome
from verl_sdpo.rewards.code_truth import CodeTest, CodeTruth
from verl_sdpo.rewards.code_verdict import Verdict
from verl_sdpo.sandbox import ExecutionResult, Limits, Sandbox, Status

_MIB = 2**20
_DEFAULT_MEMORY_MIB = 1024.0
# Limits of sources count memory in use; ours counts what is reserved too, e.g. for the stacks of threads.
_RESERVED_MIB = 256.0
_MIN_OUTPUT_BYTES, _SPARE_OUTPUT_BYTES = _MIB, 2**16
# A busy machine must not make a right program wrong: only after so long is a run given up, and then nobody is blamed.
_WALL_FACTOR, _WALL_SECONDS = 10.0, 10.0
_CHECKER_SECONDS = 30.0
_VERDICTS = {
    Status.RUNTIME_ERROR: Verdict.RUNTIME_ERROR,
    Status.COMPILE_ERROR: Verdict.COMPILE_ERROR,
    Status.TIME_LIMIT: Verdict.TIME_LIMIT,
    Status.MEMORY_LIMIT: Verdict.MEMORY_LIMIT,
    Status.OUTPUT_LIMIT: Verdict.OUTPUT_LIMIT,
    Status.SANDBOX_ERROR: Verdict.SANDBOX_ERROR,
}
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def run_test(sandbox: Sandbox, code: str, truth: CodeTruth, index: int) -> TestOutcome:
    """Runs a program under one test of a ground truth.

    Args:
        sandbox: to run it in.
        code: the program.
        truth: the ground truth.
        index: of the test, from 0.
    """
    return _RUNS[truth.kind](sandbox, code, truth, index)


def limits_of(truth: CodeTruth, test: CodeTest) -> Limits:
    """What a program may use under a test."""
    memory = _DEFAULT_MEMORY_MIB if truth.memory_limit is None else truth.memory_limit + _RESERVED_MIB
    expected_bytes = len(test.output.encode())
    return Limits(
        cpu_seconds=truth.time_limit,
        idle_seconds=truth.time_limit + 1.0,
        wall_seconds=_WALL_FACTOR * truth.time_limit + _WALL_SECONDS,
        memory_mib=memory,
        output_bytes=max(_MIN_OUTPUT_BYTES, 2 * expected_bytes + _SPARE_OUTPUT_BYTES),
    )


def _run_stdin(sandbox: Sandbox, code: str, truth: CodeTruth, index: int) -> TestOutcome:
    test = truth.tests[index]
    result = sandbox.run_script(code, test.input.encode(), limits_of(truth, test))
    if result.status != Status.FINISHED:
        return _failed(result, test, index, result.stdout)
    if truth.checker is None:
        verdict = _accepted_if(same_output(result.stdout, test.output, truth.tolerance))
        return TestOutcome(verdict, test, index, result.stdout)
    return TestOutcome(_checked(sandbox, truth, test, result.stdout), test, index, result.stdout)


def _checked(sandbox: Sandbox, truth: CodeTruth, test: CodeTest, output: bytes) -> Verdict:
    """What the dataset's checker says of an output.

    A checker may fail on nonsense, which is the program's fault; one that fails on the expected output is broken.
    """
    verdict = _said_by_checker(sandbox, truth, test, output)
    if verdict != Verdict.BAD_TEST:
        return verdict
    of_expected = _said_by_checker(sandbox, truth, test, test.output.encode())
    return Verdict.WRONG_ANSWER if of_expected == Verdict.ACCEPTED else of_expected


def _said_by_checker(sandbox: Sandbox, truth: CodeTruth, test: CodeTest, output: bytes) -> Verdict:
    actual = output.decode("utf-8", "surrogateescape")
    files = {"input.txt": test.input, "expected.txt": test.output, "actual.txt": actual}
    num_bytes = len(test.input.encode()) + len(test.output.encode()) + len(output)
    limits = Limits(cpu_seconds=_CHECKER_SECONDS, wall_seconds=10 * _CHECKER_SECONDS, file_bytes=num_bytes + _MIB)
    result = sandbox.run_checker(truth.checker, files, limits)
    if result.status == Status.SANDBOX_ERROR:
        return Verdict.SANDBOX_ERROR
    said = _NUMBER.fullmatch(result.stdout.decode("utf-8", "replace").strip())
    if result.status != Status.FINISHED or said is None:
        return Verdict.BAD_TEST
    return _accepted_if(float(said.group()) > 0)


def _run_function(sandbox: Sandbox, code: str, truth: CodeTruth, index: int) -> TestOutcome:
    test = truth.tests[index]
    result = sandbox.run_call(code, truth.setup, truth.function, test.input, limits_of(truth, test))
    if result.status != Status.FINISHED:
        return _failed(result, test, index, result.result)
    if not result.result:
        # It ended itself before the function returned.
        return TestOutcome(Verdict.RUNTIME_ERROR, test, index, b"", result.stderr, "the function did not return")
    verdict = _accepted_if(same_value(result.result, test.output, truth.tolerance))
    return TestOutcome(verdict, test, index, result.result)


def _run_asserts(sandbox: Sandbox, code: str, truth: CodeTruth, index: int) -> TestOutcome:
    test = truth.tests[index]
    served, tested = sandbox.run_asserts(code, truth.setup, truth.function, test.input, limits_of(truth, test))
    if Status.SANDBOX_ERROR in (served.status, tested.status):
        return TestOutcome(Verdict.SANDBOX_ERROR, test, index, reason=served.reason or tested.reason)
    if served.status not in (Status.FINISHED, Status.RUNTIME_ERROR):
        return _failed(served, test, index)
    if tested.status != Status.FINISHED:
        # Values that a program returns can cost the tests more than they may use.
        return _failed(tested, test, index)._replace(stderr=b"")
    told = json.loads(tested.result)
    if told["outcome"] == "passed":
        return TestOutcome(Verdict.ACCEPTED, test, index)
    if told["outcome"] == "test_error":
        return TestOutcome(Verdict.BAD_TEST, test, index, reason=told["message"] or "")
    return _failed_assert(served, told, test, index)


def _failed_assert(served: ExecutionResult, told: dict[str, str | None], test: CodeTest, index: int) -> TestOutcome:
    kind = told["kind"]
    if kind == "gone" and served.status == Status.RUNTIME_ERROR:
        return _failed(served, test, index)
    verdict = {"assertion": Verdict.WRONG_ANSWER, "time_limit": Verdict.TIME_LIMIT}.get(kind, Verdict.RUNTIME_ERROR)
    trace = told["traceback"] if kind == "exception" else told["message"]
    return TestOutcome(verdict, test, index, stderr=trace or "", assertion=told["line"] or "")


def _failed(result: ExecutionResult, test: CodeTest, index: int, output: bytes = b"") -> TestOutcome:
    return TestOutcome(_VERDICTS[result.status], test, index, output, result.stderr, result.reason)


def _accepted_if(is_right: bool) -> Verdict:
    return Verdict.ACCEPTED if is_right else Verdict.WRONG_ANSWER


_RUNS: dict[str, Callable[[Sandbox, str, CodeTruth, int], TestOutcome]] = {
    "stdin": _run_stdin,
    "function": _run_function,
    "asserts": _run_asserts,
}
