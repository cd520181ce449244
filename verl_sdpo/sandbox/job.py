# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A job: the processes that run at the same time, and the descriptors between them and this process."""

import fcntl
import json
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import Any, NamedTuple

from verl_sdpo.sandbox.limits import Limits

_ADD_SEALS, _ALL_SEALS = 1033, 15
_MAX_PHASE_BYTES = 1000
# Debugging output is nobody's fault, up to a point.
_MAX_ERROR_BYTES = 64 * 2**20
# A program must not wait often for this process, which may be waiting for a processor.
_SET_PIPE_SIZE, _PIPE_BYTES = 1031, 2**20


class Part(NamedTuple):
    """One process of a job."""

    role: str
    order: dict[str, Any]
    limits: Limits
    stdin: bytes = b""
    has_result: bool = False
    has_calls: bool = False


class Stream:
    """What a process writes to one descriptor, up to a bound."""

    def __init__(self, most: int, fatal: int | None = None) -> None:
        """A bound on what is kept, and on what may be written at all where that is another."""
        self._most, self._fatal = most, fatal or most
        self._pieces: list[bytes] = []
        self._size = 0
        self.is_over = False

    def add(self, data: bytes) -> bool:
        """Keeps what fits; False where the process is to be ended for writing more."""
        room = max(self._most - self._size, 0)
        if room:
            self._pieces.append(data[:room])
        self._size += len(data)
        self.is_over = self._size > self._fatal
        return not self.is_over

    def data(self) -> bytes:
        return b"".join(self._pieces)


class Descriptors:
    """A job's descriptors: theirs, which the interpreter gets, and ours, to read from."""

    def __init__(self, stack: ExitStack, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.is_over = False
        self.theirs: list[int] = []
        self.ours: dict[int, Stream] = {}
        self.streams: list[dict[str, Stream]] = []
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
            self._open("stdout", Stream(limits.output_bytes))
            self._open("stderr", Stream(limits.error_bytes, _MAX_ERROR_BYTES))
            self._open("phase", Stream(_MAX_PHASE_BYTES))
            if part.has_result:
                self._open("result", Stream(limits.output_bytes))
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

    def _open(self, name: str, stream: Stream) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        if name in ("stdout", "result"):
            with suppress(OSError):  # a user may have only so much of it
                fcntl.fcntl(writing, _SET_PIPE_SIZE, _PIPE_BYTES)
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
