# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a program in this process as Python itself would, with errors told in the program's own lines."""

import atexit
import gc
import linecache
import os
import random
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable
from typing import Any

# What tracebacks call the program.
FILE_NAME = "solution.py"
# As LiveCodeBench's own harness has them.
_MAX_RECURSION = 50_000
_MAX_INT_DIGITS = 50_000
_MAX_TRACE_ENTRIES = 20
_COMPILE_ERRORS = (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError)


class CompileError(Exception):
    """The source is not Python; the message is what Python says of it."""


def prepare() -> None:
    """Gives the process fresh standard streams and the state that a new interpreter has."""
    for name, number, mode, errors in (
        ("stdin", 0, "r", "surrogateescape"),
        ("stdout", 1, "w", "surrogateescape"),
        ("stderr", 2, "w", "backslashreplace"),
    ):
        is_error = name == "stderr"
        buffering = 1 if is_error else -1
        stream = open(number, mode, buffering, "utf-8", errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = [FILE_NAME]
    sys.setrecursionlimit(_MAX_RECURSION)
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(_MAX_INT_DIGITS)
    # Forking seeds it from the system; a verdict must be the same on repeat.
    random.seed(0)
    warnings.simplefilter("ignore")
    gc.enable()


def compiled(source: str) -> types.CodeType:
    """The program's code.

    Raises:
        CompileError: it is not Python.
    """
    text = source.removeprefix("\N{BYTE ORDER MARK}")
    linecache.cache[FILE_NAME] = (len(text), None, text.splitlines(keepends=True), FILE_NAME)
    try:
        return compile(text, FILE_NAME, "exec", dont_inherit=True)
    except _COMPILE_ERRORS as error:
        raise CompileError("".join(traceback.format_exception_only(error)).strip()) from None


def new_module(name: str) -> dict[str, Any]:
    """The namespace of a fresh module, which is found under its name and as ``__main__``."""
    module = types.ModuleType(name)
    module.__file__ = FILE_NAME
    sys.modules[name] = sys.modules["__main__"] = module
    return module.__dict__


def exit_status(work: Callable[[], None]) -> int:
    """Runs a function as an interpreter runs its main program, errors and exits included.

    Returns:
        The status to exit with.
    """
    try:
        work()
    except SystemExit as stop:
        return _status_of(stop.code)
    except BaseException as error:
        print_trace(error)
        return 1
    return 0


def leave(status: int, namespace: dict[str, Any]) -> None:
    """Ends the process as an interpreter ends, without the time that taking one apart costs. Does not return."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        _finish_output(namespace)
    except BaseException:
        # Python's own status for output that could not be written.
        os._exit(status or 120)
    os._exit(status)


def print_trace(error: BaseException) -> None:
    """Writes an error to standard error as Python does, without the lines that are not the program's."""
    try:
        told = traceback.TracebackException.from_exception(error, limit=None)
        _keep_own_lines(told, set())
        text = "".join(told.format())
    except BaseException:
        # The error's own methods may fail, and so may a program's memory.
        text = f"{type(error).__name__}\n"
    os.write(2, text.encode("utf-8", "backslashreplace"))


def _keep_own_lines(told: traceback.TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    own = [entry for entry in told.stack if entry.filename == FILE_NAME]
    told.stack = traceback.StackSummary.from_list(own[-_MAX_TRACE_ENTRIES:])
    for other in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if other is not None:
            _keep_own_lines(other, seen)


def _status_of(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    os.write(2, f"{code}\n".encode("utf-8", "backslashreplace"))
    return 1


def _finish_output(namespace: dict[str, Any]) -> None:
    """Flushes, and lets go of what has a finaliser: e.g. a writer of the program's own on standard output."""
    sys.stdout.flush()
    for name in [name for name, value in namespace.items() if hasattr(type(value), "__del__")]:
        del namespace[name]
    sys.__stdout__.flush()
