# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a SandboxFusion server's answer says of a run.

An answer that is not understood, or tells of a fault of the server, says nothing about the program.
"""

import signal
from typing import Any, NamedTuple

from verl_sdpo.sandbox.ending import is_memory_error
from verl_sdpo.sandbox.limits import Limits
from verl_sdpo.sandbox.result import ExecutionResult, Status

# Bytes of each stream that a server keeps; it drops the rest without a word.
KEPT_BYTES = 2**20
_MAX_REASON = 200
# As the server's Python tells of a signal, and as a shell does.
_TIME_SIGNALS = (-signal.SIGXCPU, 128 + signal.SIGXCPU)


class _Run(NamedTuple):
    is_timeout: bool
    return_code: int | None
    stdout: bytes
    stderr: bytes
    seconds: float


class _Unclear(Exception):
    """The answer says nothing about the program."""


def result_of(answer: Any, limits: Limits, mark: str) -> ExecutionResult:
    """The result of a run.

    Args:
        answer: the server's, whatever it is.
        limits: of the run.
        mark: what ``served_program`` was given.
    """
    try:
        run = _run_of(answer)
    except _Unclear as error:
        return ExecutionResult(Status.SANDBOX_ERROR, reason=" ".join(str(error).split())[:_MAX_REASON])
    stdout, result = _parted(run.stdout, mark.encode())
    stderr, compile_mark, _ = run.stderr.partition(mark.encode())
    status, reason = _status(run, limits, max(len(stdout), len(result)), stderr, is_python=not compile_mark)
    return ExecutionResult(
        status=status,
        stdout=stdout[: limits.output_bytes],
        stderr=stderr[: limits.error_bytes],
        result=result[: limits.output_bytes],
        exit_code=run.return_code if run.return_code is None or run.return_code >= 0 else None,
        signal=-run.return_code if run.return_code is not None and run.return_code < 0 else None,
        wall_seconds=run.seconds,
        reason=reason,
    )


def _run_of(answer: Any) -> _Run:
    """The run that an answer tells of; the names are those of SandboxFusion's ``RunCodeResponse``."""
    if not isinstance(answer, dict):
        raise _Unclear("the server's answer is no JSON object")
    run = answer.get("run_result")
    if answer.get("status") not in ("Success", "Failed") or answer.get("compile_result") or not isinstance(run, dict):
        raise _Unclear(f"the server reports {answer.get('status')}: {answer.get('message')}")
    code, texts = run.get("return_code"), [run.get(name) for name in ("stdout", "stderr")]
    is_timeout = run.get("status") == "TimeLimitExceeded"
    is_ended = run.get("status") == "Finished" and isinstance(code, int) and not isinstance(code, bool)
    is_success = is_ended and code == 0
    if not (is_timeout or is_ended) or is_success != (answer["status"] == "Success"):
        raise _Unclear(f"the server reports {answer['status']}, of a run {run.get('status')} with status {code}")
    if not all(text is None or isinstance(text, str) for text in texts):
        raise _Unclear("the server's answer has output that is no text")
    stdout, stderr = ((text or "").encode("utf-8", "surrogatepass") for text in texts)
    return _Run(is_timeout, code if is_ended else None, stdout, stderr, _seconds(run.get("execution_time")))


def _status(run: _Run, limits: Limits, num_bytes: int, stderr: bytes, *, is_python: bool) -> tuple[Status, str]:
    is_cut = len(run.stdout) >= KEPT_BYTES
    if num_bytes > limits.output_bytes or (is_cut and limits.output_bytes <= KEPT_BYTES):
        return Status.OUTPUT_LIMIT, f"more than {min(limits.output_bytes, KEPT_BYTES):,} bytes of output"
    if run.is_timeout or run.return_code in _TIME_SIGNALS:
        return Status.TIME_LIMIT, ""
    if not is_python:
        return Status.COMPILE_ERROR, ""
    if run.return_code == 0 and is_cut:
        return Status.SANDBOX_ERROR, f"the server keeps {KEPT_BYTES:,} bytes of output, and this may have more"
    if run.return_code == 0:
        return Status.FINISHED, ""
    if is_memory_error(stderr):
        return Status.MEMORY_LIMIT, f"more than {limits.memory_mib:g} MiB of memory"
    return Status.RUNTIME_ERROR, "" if stderr.strip() else f"exit status {run.return_code}"


def _parted(stdout: bytes, mark: bytes) -> tuple[bytes, bytes]:
    """Standard output without the result, and the result; empty where there is none, or only a part of it."""
    before, _, rest = stdout.partition(mark)
    result, closing, after = rest.partition(mark)
    return (before + after, result) if closing else (before, b"")


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
