# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs programs on a SandboxFusion server, through verl's own client.

The server isolates programs, as it is set up to. What holds here too: expected outputs are not sent, and a verdict is
made of the process's end and of its output, on this side. What does not: test code (``run_asserts``) is refused, since
it would have to run in the program's process, which could then make any test pass; time is measured by the wall clock,
so that a busy server can make a right program late; processor time is only limited to whole seconds; how many files a
program writes is not limited.
"""

import hashlib
import json
import math
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from verl_sdpo.sandbox.layers import Layers, SandboxRefused
from verl_sdpo.sandbox.limits import Limits
from verl_sdpo.sandbox.result import ExecutionResult, Status
from verl_sdpo.sandbox.runs import Runs, tried_again
from verl_sdpo.sandbox.served_program import MIN_PYTHON, order_of, served_program
from verl_sdpo.sandbox.server_answer import result_of
from verl_sdpo.sandbox.settings import SandboxSettings

# A server limits the whole address space, of which Python and numpy have so much before a program does anything.
_BASE_MIB = 512
_CHECK = f"import sys\nprint(1 + 1, sys.version_info >= {MIN_PYTHON})"
_CHECK_LIMITS = Limits(cpu_seconds=10.0, idle_seconds=10.0, wall_seconds=30.0)


class FusionSandbox:
    """Programs on a server. Safe to use from many threads, and after a fork."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._runs = Runs(self._settings.slots())
        self._lock = threading.Lock()
        self._layers: Layers | None = None

    def layers(self) -> Layers:
        """The server, after it ran a program.

        Raises:
            SandboxRefused: verl is not installed, or the server does not run programs.
        """
        if self._owner != os.getpid():
            # The threads that hold its locks may not be in this process.
            self._begin()
        with self._lock:
            if self._layers is None:
                self._check()
                self._layers = Layers(namespaces=False, landlock=0, user=None, server=self._settings.url)
            return self._layers

    def _check(self) -> None:
        [result] = tried_again(lambda: [self._attempt(order_of(_CHECK), "", _CHECK_LIMITS)])
        if result.status == Status.FINISHED and result.stdout == b"2 True\n":
            return
        last = result.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        told = result.reason or last or f"a program that prints '2 True' printed {result.stdout[:60]!r}"
        raise SandboxRefused(
            f"no programs can be run at {self._settings.url}: {result.status}, {told}. See that a SandboxFusion server "
            f"with Python {'.'.join(map(str, MIN_PYTHON))} or later answers there (the address ends in /run_code, as "
            "in verl's reward.sandbox_fusion.url), or use sandbox backend=local"
        )

    def run_script(self, source: str, stdin: bytes, limits: Limits) -> ExecutionResult:
        """Runs a program that reads standard input, which must be UTF-8, and writes standard output."""
        try:
            text = stdin.decode()
        except UnicodeDecodeError:
            return ExecutionResult(Status.SANDBOX_ERROR, reason="a server takes no standard input that is not UTF-8")
        return self._run(order_of(source), text, limits)

    def run_call(self, source: str, setup: str, function: str, arguments: str, limits: Limits) -> ExecutionResult:
        """See ``Sandbox``."""
        return self._run(order_of(source, setup, function, arguments), "", limits)

    def run_asserts(
        self, source: str, setup: str, function: str, tests: str, limits: Limits
    ) -> tuple[ExecutionResult, ExecutionResult]:
        """Refuses.

        Raises:
            SandboxRefused: always.
        """
        raise SandboxRefused(
            "sandbox backend=sandbox_fusion does not run tests that are Python code (kind 'asserts' of a ground "
            "truth): a server runs them in the program's own process, where the program can make any test pass. Use "
            "backend=local or bubblewrap, which give the tests a process of their own, or leave these rows out"
        )

    def run_checker(self, source: str, files: Mapping[str, str], limits: Limits) -> ExecutionResult:
        """See ``Sandbox``."""
        return self._run(order_of(source, files=files), "", limits)

    def close(self) -> None:
        """Nothing is held between runs."""

    def _run(self, order: Mapping[str, Any], stdin: str, limits: Limits) -> ExecutionResult:
        self.layers()
        key = hashlib.sha256(json.dumps([order, stdin, asdict(limits)]).encode()).digest()
        return self._runs.results(key, lambda: [self._attempt(order, stdin, limits)])[0]

    def _attempt(self, order: Mapping[str, Any], stdin: str, limits: Limits) -> ExecutionResult:
        mark = secrets.token_hex(16)
        program = served_program(order, limits, mark)
        answer, error = _client()(self._settings.url, program, stdin, **server_limits(limits))
        if error is not None:
            return ExecutionResult(Status.SANDBOX_ERROR, reason=" ".join(error.split())[:300])
        return result_of(answer, limits, mark)


def server_limits(limits: Limits) -> dict[str, int]:
    """Limits as verl's client takes them: whole seconds of the wall clock, MiB of address space.

    The time to run is all that a program may use on a machine of its own, asleep or not. Python has no time to compile:
    that only makes the client wait for the answer of a busy server as long as it may take.
    """
    run = math.ceil(min(limits.cpu_seconds + limits.idle_seconds, limits.wall_seconds))
    return {
        "compile_timeout": max(math.ceil(limits.wall_seconds) - run, 1),
        "run_timeout": run,
        "memory_limit_mb": math.ceil(limits.memory_mib) + _BASE_MIB,
    }


def _client() -> Callable[..., tuple[Any, str | None]]:
    # Only here: whoever uses another backend need not have verl.
    try:
        from verl.utils.reward_score.sandbox_fusion.utils import call_sandbox_api
    except ImportError as error:
        raise SandboxRefused(
            f"sandbox backend=sandbox_fusion uses verl's client, and verl cannot be imported ({error}). Install verl, "
            "or use backend=local"
        ) from error
    return call_sandbox_api
