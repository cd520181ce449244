# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The supervisor's side of one warm interpreter: starts it, sends it jobs, reads what the programs write."""

import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from verl_sdpo.sandbox.ending import execution_result
from verl_sdpo.sandbox.inside import INSIDE
from verl_sdpo.sandbox.job import Descriptors, Part
from verl_sdpo.sandbox.result import ExecutionResult
from verl_sdpo.sandbox.scratch_folder import ScratchFolder

_START_SECONDS = 60.0
_MAX_MESSAGE = 2**16
# After this much more than a job's own watchdog allows, the interpreter itself is taken for dead.
_GRACE_SECONDS = 0.5
_READ_BYTES = 2**18
# Programs are given an id that nothing else on the machine has; containers map few, so then the one of nobody.
_FIRST_USER, _NOBODY = 1_879_048_192, 65_534
ENVIRONMENT = {
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


class WarmInterpreter:
    """One interpreter, which runs one job at a time. Not for several threads at once."""

    def __init__(
        self,
        packages: Sequence[str],
        *,
        use_namespaces: bool = True,
        use_landlock: bool = True,
        wrap: Callable[[str], list[str]] = lambda scratch: [],
    ) -> None:
        """Starts it.

        Args:
            packages: that programs may import.
            use_namespaces: make namespaces, as far as the machine allows it.
            use_landlock: put file rules on programs, as far as the machine has them.
            wrap: the command that starts the interpreter's own, from the directory which must be writable in it.

        Raises:
            InterpreterDied: it did not start; the message says why.
        """
        self._scratch = ScratchFolder()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._number = 0
        with theirs:
            self._process = subprocess.Popen(
                [*wrap(self._scratch.path), sys.executable, "-s", "-S", "-B", "-X", "utf8", str(INSIDE / "zygote.py")],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        setting = {
            "packages": locations(packages),
            "namespaces": use_namespaces,
            "landlock": use_landlock,
            "scratch": self._scratch.path,
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
        except ConnectionError:
            data = b""  # it has ended already
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
        # All that share its session: what stands between it and this process is to end too.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stderr.close()
        self._scratch.remove()

    def run(self, parts: Sequence[Part]) -> list[ExecutionResult]:
        """Runs the processes of a job at the same time, and waits for all.

        Raises:
            InterpreterDied: close it and take another; the job can be run again.
        """
        self._number += 1
        with ExitStack() as stack:
            sent = Descriptors(stack, parts)
            message = {"number": self._number, "parts": sent.described()}
            try:
                socket.send_fds(self._control, [json.dumps(message).encode()], sent.theirs)
            except OSError as error:
                raise InterpreterDied(f"the sandbox's interpreter is gone: {error}") from error
            sent.close_theirs()
            ended = self._read(sent)
            return [
                execution_result(part, stream, told)
                for part, stream, told in zip(parts, sent.streams, ended, strict=True)
            ]

    def _read(self, sent: Descriptors) -> list[dict[str, Any]]:
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


def locations(packages: Sequence[str]) -> dict[str, str]:
    """The directories that hold packages; those that are not installed are left out."""
    specs = {name: importlib.util.find_spec(name) for name in packages}
    return {name: str(Path(spec.origin).parents[1]) for name, spec in specs.items() if spec is not None and spec.origin}
