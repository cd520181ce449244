# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What came of one run."""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """How a run ended, as the kernel and the sandbox saw it; nothing the program writes can change it to another."""

    FINISHED = "finished"  # exit status 0
    RUNTIME_ERROR = "runtime_error"  # another exit status, or a signal of its own making
    COMPILE_ERROR = "compile_error"  # not Python; nothing of it ran
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    SANDBOX_ERROR = "sandbox_error"  # not the program's fault: it says nothing about the program


class ExecutionResult(NamedTuple):
    """One run's status and what it wrote; all of it is text of an untrusted program."""

    status: Status
    stdout: bytes = b""
    stderr: bytes = b""
    # What a call returned, as JSON; empty for scripts.
    result: bytes = b""
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    # One line where status and standard error do not say it all: which limit, which signal, what fault of the sandbox.
    reason: str = ""
