# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What can come of a program under a test."""

from enum import StrEnum


class Verdict(StrEnum):
    """One test's verdict. All but the last two speak of the program."""

    ACCEPTED = "accepted"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"  # not Python; no test could be run
    NO_CODE = "no_code"  # the response has no complete block of Python
    SANDBOX_ERROR = "sandbox_error"  # the sandbox failed
    BAD_TEST = "bad_test"  # the test, or its checker, is broken


# Verdicts that say nothing about the program: such samples are left out of training, and get no feedback.
NOT_THE_PROGRAMS = frozenset({Verdict.SANDBOX_ERROR, Verdict.BAD_TEST})
