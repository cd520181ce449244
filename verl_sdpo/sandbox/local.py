# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs programs on this machine: a few warm interpreters, a bounded number of programs at once, results kept."""

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from verl_sdpo.sandbox.interpreter import InterpreterDied, WarmInterpreter
from verl_sdpo.sandbox.job import Part
from verl_sdpo.sandbox.layers import Layers, SandboxRefused, check_layers, layers_from
from verl_sdpo.sandbox.limits import Limits
from verl_sdpo.sandbox.result import ExecutionResult, Status
from verl_sdpo.sandbox.runs import Runs
from verl_sdpo.sandbox.settings import SandboxSettings

# The test code of a dataset compares large values itself, so it gets more than the program.
_TESTER_FACTOR = 4.0


class LocalSandbox:
    """Programs in processes of this machine. Safe to use from many threads, and after a fork."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._runs = Runs(self._settings.slots())
        self._idle: list[WarmInterpreter] = []
        self._use_namespaces, self._namespaces_error = True, ""
        self._layers: Layers | None = None
        self._refusal: SandboxRefused | None = None
        self._lock = threading.Lock()

    def layers(self) -> Layers:
        """The layers in force, after a program was run under them.

        Raises:
            SandboxRefused: a required one is missing, or nothing can be isolated here.
        """
        if self._owner != os.getpid():
            # Its interpreters belong to the process that this one was forked from.
            self._begin()
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            if self._layers is None:
                try:
                    self._layers = self._checked_layers()
                except SandboxRefused as error:
                    self._refusal = error
                    raise
            return self._layers

    def _checked_layers(self) -> Layers:
        try:
            first = self._first_interpreter()
            tried = first.run([Part("script", {"source": "print(1 + 1)"}, Limits())])[0]
        except InterpreterDied as error:
            raise SandboxRefused(f"programs cannot be isolated on this machine: {error}") from error
        layers = self._layers_of(first)
        if tried.status != Status.FINISHED or tried.stdout != b"2\n":
            first.close()
            raise SandboxRefused(f"programs cannot be isolated on this machine: {tried.status}, {tried.reason}")
        self._idle.append(first)
        check_layers(layers, self._settings.required_layers())
        return layers

    def run_script(self, source: str, stdin: bytes, limits: Limits) -> ExecutionResult:
        """See ``Sandbox``."""
        return self._run([Part("script", {"source": source}, limits, stdin)])[0]

    def run_call(self, source: str, setup: str, function: str, arguments: str, limits: Limits) -> ExecutionResult:
        """See ``Sandbox``."""
        order = {"source": source, "setup": setup, "function": function, "arguments": arguments}
        return self._run([Part("call", order, limits, has_result=True)])[0]

    def run_asserts(
        self, source: str, setup: str, function: str, tests: str, limits: Limits
    ) -> tuple[ExecutionResult, ExecutionResult]:
        """See ``Sandbox``."""
        solution = Part("solution", {"source": source, "setup": setup}, limits, has_calls=True)
        order = {"tests": tests, "setup": setup, "function": function, "wall_seconds": limits.wall_seconds}
        patient = Limits(**asdict(limits) | _patience(limits))
        served, tested = self._run([solution, Part("tester", order, patient, has_result=True, has_calls=True)])
        return served, tested

    def run_checker(self, source: str, files: Mapping[str, str], limits: Limits) -> ExecutionResult:
        """See ``Sandbox``."""
        return self._run([Part("checker", {"source": source, "files": dict(files)}, limits)])[0]

    def close(self) -> None:
        """Ends the interpreters that are not at work."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _run(self, parts: Sequence[Part]) -> list[ExecutionResult]:
        self.layers()
        return self._runs.results(_key(parts), lambda: self._attempt(parts))

    def _attempt(self, parts: Sequence[Part]) -> list[ExecutionResult]:
        interpreter = None
        try:
            with self._lock:
                interpreter = self._idle.pop() if self._idle else None
            interpreter = interpreter or self._new_interpreter()
            results = interpreter.run(parts)
        except InterpreterDied as error:
            if interpreter is not None:
                interpreter.close()
            return [ExecutionResult(Status.SANDBOX_ERROR, reason=str(error)) for _ in parts]
        except BaseException:
            if interpreter is not None:
                interpreter.close()
            raise
        with self._lock:
            self._idle.append(interpreter)
        return results

    def _first_interpreter(self) -> WarmInterpreter:
        """An interpreter with namespaces, else without: some machines let them be made but nothing be done in them."""
        try:
            return self._new_interpreter()
        except InterpreterDied as error:
            self._use_namespaces, self._namespaces_error = False, str(error)
            return self._new_interpreter()

    def _layers_of(self, interpreter: WarmInterpreter) -> Layers:
        return layers_from({"namespaces_error": self._namespaces_error} | interpreter.layers)

    def _new_interpreter(self) -> WarmInterpreter:
        """One more interpreter.

        Raises:
            InterpreterDied: it did not start, or has fewer layers than the first: e.g. too many namespaces are in use.
        """
        interpreter = self._start_interpreter()
        layers = self._layers_of(interpreter)
        if self._layers is not None and not layers.in_force() >= self._layers.in_force():
            interpreter.close()
            raise InterpreterDied(f"a sandbox interpreter has only these layers: {layers}; {layers.namespaces_error}")
        return interpreter

    def _start_interpreter(self) -> WarmInterpreter:
        return WarmInterpreter(self._settings.warm_packages(), use_namespaces=self._use_namespaces)


def _key(parts: Sequence[Part]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        told = json.dumps([part.role, part.order, asdict(part.limits), len(part.stdin)])
        digest.update(told.encode())
        digest.update(part.stdin)
    return digest.digest()


def _patience(limits: Limits) -> dict[str, Any]:
    """The tests' limits: they wait for the program, which has limits of its own."""
    return {
        "cpu_seconds": limits.cpu_seconds * _TESTER_FACTOR,
        "idle_seconds": limits.wall_seconds,
        "wall_seconds": limits.wall_seconds + 1.0,
    }
