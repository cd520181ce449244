# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The supervisor's side of one warm interpreter: starts it, sends it jobs, reads what the programs write."""

import fcntl
import importlib.util
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from verl_sdpo.sandbox.inside import INSIDE
from verl_sdpo.sandbox.limits import Limits
from verl_sdpo.sandbox.result import ExecutionResult, Status

_START_SECONDS = 60.0
_MAX_MESSAGE = 2**16
# After this much more than a job's own watchdog allows, the interpreter itself is taken for dead.
_GRACE_SECONDS = 0.5
_READ_BYTES = 2**18
_ADD_SEALS, _ALL_SEALS = 1033, 15
_MAX_PHASE_BYTES = 1000
_CONFINED, _COMPILED = b"c", b"p"
# Programs are given an id that nothing else on the machine has; containers map few, so then the one of nobody.
_FIRST_USER, _NOBODY = 1_879_048_192, 65_534
_MEMORY_ERROR = re.compile(rb"^(?:\w+\.)*_?\w*MemoryError\b")
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    # The same order of sets, and so the same output, every time.
    "PYTHONHASHSEED": "0",
    # Threads of libraries and their memory would count as the program's.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}


class InterpreterDied(Exception):
    """The warm interpreter is gone or does not answer; the job says nothing about the program."""


class Part(NamedTuple):
    """One process of a job."""

    role: str
    order: dict[str, Any]
    limits: Limits
    stdin: bytes = b""
    has_result: bool = False
    has_calls: bool = False


class WarmInterpreter:
    """One interpreter, which runs one job at a time. Not for several threads at once."""

    def __init__(self, packages: Sequence[str], *, use_namespaces: bool = True, use_landlock: bool = True) -> None:
        """Starts it.

        Raises:
            InterpreterDied: it did not start; the message says why.
        """
        self._scratch = mkdtemp(prefix="verl_sdpo_sandbox_")
        os.chmod(self._scratch, 0o700)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._number = 0
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-S", "-B", "-X", "utf8", str(INSIDE / "zygote.py")],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        setting = {
            "packages": _locations(packages),
            "namespaces": use_namespaces,
            "landlock": use_landlock,
            "scratch": self._scratch,
            "users": [_FIRST_USER + self._process.pid, _NOBODY],
        }
        try:
            self.layers = self._start(setting)
        except BaseException:
            self.close()
            raise

    def _start(self, setting: dict[str, Any]) -> dict[str, Any]:
        self._control.settimeout(_START_SECONDS)
        try:
            self._control.send(json.dumps(setting).encode())
            data = self._control.recv(_MAX_MESSAGE)
        except OSError as error:
            raise InterpreterDied(f"the sandbox's interpreter did not start: {error}") from error
        if not data:
            told = self._process.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise InterpreterDied(f"the sandbox's interpreter did not start: {told}")
        self._process.stderr.close()
        answer = json.loads(data)
        if "refused" in answer:
            raise InterpreterDied(f"the sandbox's interpreter did not start: {answer['refused']}")
        return answer["layers"]

    def close(self) -> None:
        """Ends it and everything in it."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()
        for entry in os.scandir(self._scratch):
            os.unlink(entry.path)
        os.rmdir(self._scratch)

    def run(self, parts: Sequence[Part]) -> list[ExecutionResult]:
        """Runs the processes of a job at the same time, and waits for all.

        Raises:
            InterpreterDied: close it and take another; the job can be run again.
        """
        self._number += 1
        with ExitStack() as stack:
            sent = _Sent(stack, parts)
            message = {"number": self._number, "parts": sent.described()}
            try:
                socket.send_fds(self._control, [json.dumps(message).encode()], sent.theirs)
            except OSError as error:
                raise InterpreterDied(f"the sandbox's interpreter is gone: {error}") from error
            sent.close_theirs()
            ended = self._read(sent)
            return [_result(part, stream, told) for part, stream, told in zip(parts, sent.streams, ended, strict=True)]

    def _read(self, sent: "_Sent") -> list[dict[str, Any]]:
        """Reads until all processes have ended and everything that they wrote is read."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        for descriptor in sent.ours:
            poll.register(descriptor, select.POLLIN)
        unread, ended = dict(sent.ours), None
        latest = time.monotonic() + max(part.limits.wall_seconds for part in sent.parts) + _GRACE_SECONDS
        while unread or ended is None:
            left = latest - time.monotonic()
            if left <= 0:
                raise InterpreterDied("the sandbox's interpreter does not answer")
            for descriptor, _ in poll.poll(left * 1000):
                if descriptor == self._control.fileno():
                    ended = self._ended() or ended
                    continue
                stream = unread[descriptor]
                data = os.read(descriptor, _READ_BYTES)
                if not data:
                    poll.unregister(descriptor)
                    del unread[descriptor]
                elif not stream.add(data) and not sent.is_over:
                    sent.is_over = True
                    self._control.send(json.dumps({"kill": self._number}).encode())
        return ended

    def _ended(self) -> list[dict[str, Any]] | None:
        try:
            data = self._control.recv(_MAX_MESSAGE)
        except OSError:
            data = b""
        if not data:
            raise InterpreterDied("the sandbox's interpreter is gone")
        answer = json.loads(data)
        return answer["ended"] if answer["number"] == self._number else None


class _Stream:
    """What a process writes to one descriptor, up to a bound."""

    def __init__(self, most: int, *, is_fatal: bool = True) -> None:
        self._most, self._is_fatal = most, is_fatal
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_over = False

    def add(self, data: bytes) -> bool:
        """Keeps what fits; False where the process is to be ended for writing more."""
        room = self._most - self._size
        self._pieces.append(data[:room])
        self._size += len(data[:room])
        self.is_over = self.is_over or len(data) > room
        return not (self.is_over and self._is_fatal)

    def data(self) -> bytes:
        return b"".join(self._pieces)


class _Sent:
    """A job's descriptors: theirs, which the interpreter gets, and ours, to read from."""

    def __init__(self, stack: ExitStack, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.is_over = False
        self.theirs: list[int] = []
        self.ours: dict[int, _Stream] = {}
        self.streams: list[dict[str, _Stream]] = []
        self._places: list[dict[str, int]] = []
        self._stack, self._theirs_stack = stack, stack.enter_context(ExitStack())
        calls = None
        if any(part.has_calls for part in parts):
            calls = socket.socketpair()
            for end in calls:
                self._theirs_stack.enter_context(end)
        for part in parts:
            limits = part.limits
            self._places.append({})
            self.streams.append({})
            self._give("order", self._file(json.dumps(part.order).encode()))
            self._give("stdin", self._file(part.stdin))
            self._open("stdout", _Stream(limits.output_bytes))
            self._open("stderr", _Stream(limits.error_bytes, is_fatal=False))
            self._open("phase", _Stream(_MAX_PHASE_BYTES, is_fatal=False))
            if part.has_result:
                self._open("result", _Stream(limits.output_bytes))
            if part.has_calls:
                self._give("calls", calls[len(self._places) - 1].fileno())

    def described(self) -> list[dict[str, Any]]:
        """The parts as the interpreter reads them; texts of programs are not among it."""
        return [
            {"role": part.role, "limits": asdict(part.limits), "descriptors": places}
            for part, places in zip(self.parts, self._places, strict=True)
        ]

    def close_theirs(self) -> None:
        self._theirs_stack.close()

    def _give(self, name: str, descriptor: int) -> None:
        self._places[-1][name] = len(self.theirs)
        self.theirs.append(descriptor)

    def _open(self, name: str, stream: _Stream) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        self._stack.callback(os.close, reading)
        self._theirs_stack.callback(os.close, writing)
        self.ours[reading] = stream
        self.streams[-1][name] = stream
        self._give(name, writing)

    def _file(self, data: bytes) -> int:
        """A file in memory that nobody can change any more."""
        descriptor = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._theirs_stack.callback(os.close, descriptor)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, _ADD_SEALS, _ALL_SEALS)
        return descriptor


def _locations(packages: Sequence[str]) -> dict[str, str]:
    """The directories that hold packages; those that are not installed are left out."""
    specs = {name: importlib.util.find_spec(name) for name in packages}
    return {name: str(Path(spec.origin).parents[1]) for name, spec in specs.items() if spec is not None and spec.origin}


def _result(part: Part, streams: dict[str, _Stream], told: dict[str, Any]) -> ExecutionResult:
    """What the kernel, the watch and the process's own phases say of how it ended, in that order."""
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


def _status(limits: Limits, streams: dict[str, _Stream], told: dict[str, Any], stderr: bytes) -> tuple[Status, str]:
    phase = streams["phase"].data()
    if any(stream.is_over for name, stream in streams.items() if name in ("stdout", "result")):
        return Status.OUTPUT_LIMIT, f"more than {limits.output_bytes:,} bytes of output"
    if told["killed_for"] == "cpu" or told["cpu_seconds"] > limits.cpu_seconds or told["signal"] == signal.SIGXCPU:
        return Status.TIME_LIMIT, f"more than {limits.cpu_seconds:g} s of processor time"
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
    if _MEMORY_ERROR.match(stderr.rstrip(b"\n").rpartition(b"\n")[2]):
        return Status.MEMORY_LIMIT, f"more than {limits.memory_mib:g} MiB of memory"
    return Status.RUNTIME_ERROR, f"exit status {told['exit_code']}"


_KILLED = {
    "idle": (Status.TIME_LIMIT, "waited {limits.idle_seconds:g} s for nothing"),
    "wall": (Status.SANDBOX_ERROR, "not finished after {limits.wall_seconds:g} s on a busy machine"),
    "threads": (Status.RUNTIME_ERROR, "too many threads"),
    "files": (
        Status.RUNTIME_ERROR,
        "more files than {limits.num_files} or more than {limits.file_bytes} bytes of them",
    ),
    "asked": (Status.SANDBOX_ERROR, "ended because another process of its job was"),
}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
