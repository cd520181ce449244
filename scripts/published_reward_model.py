# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the process model of the published code reward (lasgroup/SDPO, ``feedback/code.py``), to time it.

What is modelled, from what that file does:

* All tests of a sample are started at once, each as a ``multiprocessing`` process forked from the process that scores,
  whatever its size; they share one budget of wall time, the time limit and a second.
* A test's process takes an address-space limit, puts a guard around the interpreter (functions of modules and built-ins
  replaced, modules hidden), executes the program with text buffers for standard input and output, compares there, and
  pickles the result through a pipe; the caller joins it, or kills it.

What is not: finding the code in a response, its rules of comparison and of what a program may use, and feedback. Its
limit is 1 GiB whatever the process has, in which programs fail when they are forked from a larger one; here it is 1 GiB
more than the process has, so that the tests that are timed pass.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

_MORE_BYTES = 2**30
_MORE_SECONDS = 1.0
_NO_FUNCTIONS = {
    os: "system fork forkpty kill killpg putenv remove removedirs rename rmdir unlink truncate chmod chown".split(),
    builtins: "exit quit help input open".split(),
}
_NO_MODULES = "ctypes inspect psutil resource threading tkinter".split()
_BUILTINS = (
    "abs all any bool chr dict divmod enumerate filter float frozenset int isinstance iter len list map max min next "
    "ord pow print range repr reversed round set sorted str sum tuple zip __build_class__"
).split()


def passed_tests(program: str, tests: Sequence[tuple[str, str]], time_limit: float = 1.0) -> list[bool]:
    """Whether a program passes each test, a pair of standard input and expected output."""
    context = multiprocessing.get_context("fork")
    started = []
    for given, expected in tests:
        reading, writing = context.Pipe(duplex=False)
        process = context.Process(target=_run_test, args=(program, given, expected, writing), daemon=True)
        process.start()
        writing.close()
        started.append((process, reading))
    deadline = time.monotonic() + time_limit + _MORE_SECONDS
    return [_result(process, reading, deadline)["passed"] for process, reading in started]


def _result(process: Any, reading: Connection, deadline: float) -> dict[str, Any]:
    result = {"passed": False, "error": "no result"}
    with reading, contextlib.suppress(EOFError):
        if reading.poll(max(0.0, deadline - time.monotonic())):
            result = reading.recv()
    process.join(max(0.0, deadline - time.monotonic()))
    if process.is_alive():
        process.kill()
        process.join()
    process.close()
    return result


def _run_test(program: str, given: str, expected: str, writing: Connection) -> None:
    limit = _address_space() + _MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    output, error = io.StringIO(), ""
    stdin, stdout = sys.stdin, sys.stdout
    namespace = _guarded_namespace(io.StringIO(given))
    sys.stdin, sys.stdout = io.StringIO(given), output
    try:
        exec(compile(program, "<program>", "exec"), namespace)
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
    finally:
        sys.stdin, sys.stdout = stdin, stdout
    passed = not error and output.getvalue().split() == expected.split()
    writing.send({"passed": passed, "output": output.getvalue(), "expected": expected, "error": error})
    writing.close()


def _guarded_namespace(stdin: io.StringIO) -> dict[str, Any]:
    """What the program finds; the rest of the interpreter, for which it may look, is made useless."""
    allowed = {name: getattr(builtins, name) for name in _BUILTINS}
    allowed |= {"input": lambda prompt="": stdin.readline().rstrip("\n"), "__import__": builtins.__import__}
    for module, names in _NO_FUNCTIONS.items():
        for name in names:
            if hasattr(module, name):
                setattr(module, name, None)
    for name in _NO_MODULES:
        sys.modules[name] = None
    return {"__name__": "__main__", "__builtins__": allowed}


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
