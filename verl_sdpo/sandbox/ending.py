# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How a run ended: from what the kernel, the watch and the process's own phases say, in that order."""

import re
import signal
from collections.abc import Mapping
from typing import Any

from verl_sdpo.sandbox.job import Part, Stream
from verl_sdpo.sandbox.limits import Limits
from verl_sdpo.sandbox.result import ExecutionResult, Status

# What a process says of itself, on a descriptor that is closed before anything of the program runs.
_CONFINED, _COMPILED = b"c", b"p"
_MEMORY_ERROR = re.compile(rb"^(?:\w+\.)*_?\w*MemoryError\b")
_KILLED = {
    "idle": (Status.TIME_LIMIT, "waited {limits.idle_seconds:g} s for nothing"),
    "wall": (Status.SANDBOX_ERROR, "not finished after {limits.wall_seconds:g} s on a busy machine"),
    "threads": (Status.RUNTIME_ERROR, "too many threads"),
    "files": (
        Status.RUNTIME_ERROR,
        "no room for {limits.num_files} files, or for {limits.file_bytes} bytes of them",
    ),
    "asked": (Status.OUTPUT_LIMIT, "too much output of another process of its job"),
}


def execution_result(part: Part, streams: Mapping[str, Stream], told: Mapping[str, Any]) -> ExecutionResult:
    """One process's result, from what it wrote and what the interpreter told of its end."""
    stderr = streams["stderr"].data()
    status, reason = _status(part.limits, streams, told, stderr)
    return ExecutionResult(
        status=status,
        stdout=streams["stdout"].data(),
        stderr=stderr,
        result=streams["result"].data() if "result" in streams else b"",
        exit_code=told["exit_code"],
        signal=told["signal"],
        cpu_seconds=told["cpu_seconds"],
        wall_seconds=told["wall_seconds"],
        reason=reason,
    )


def _status(
    limits: Limits, streams: Mapping[str, Stream], told: Mapping[str, Any], stderr: bytes
) -> tuple[Status, str]:
    phase = streams["phase"].data()
    if any(streams[name].is_over for name in ("stdout", "stderr", "result") if name in streams):
        return Status.OUTPUT_LIMIT, f"more than {limits.output_bytes:,} bytes of output"
    if told["killed_for"] == "cpu" or told["cpu_seconds"] > limits.cpu_seconds or told["signal"] == signal.SIGXCPU:
        return Status.TIME_LIMIT, ""
    if told["killed_for"] in _KILLED:
        status, reason = _KILLED[told["killed_for"]]
        return status, reason.format(limits=limits)
    if not phase.startswith(_CONFINED):
        return Status.SANDBOX_ERROR, f"could not be confined: {phase.decode('utf-8', 'replace') or told}"
    if told["signal"] == signal.SIGKILL:
        return Status.SANDBOX_ERROR, "killed from outside"
    if not phase.startswith(_CONFINED + _COMPILED):
        return Status.COMPILE_ERROR, ""
    if told["signal"] is not None:
        return Status.RUNTIME_ERROR, f"ended by {_signal_name(told['signal'])}"
    if told["exit_code"] == 0:
        return Status.FINISHED, ""
    if is_memory_error(stderr):
        return Status.MEMORY_LIMIT, f"more than {limits.memory_mib:g} MiB of memory"
    return Status.RUNTIME_ERROR, "" if stderr.strip() else f"exit status {told['exit_code']}"


def is_memory_error(stderr: bytes) -> bool:
    """Whether standard error ends with a program's MemoryError, or one of numpy's kind."""
    return _MEMORY_ERROR.match(stderr.rstrip(b"\n").rpartition(b"\n")[2]) is not None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
