# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs tests, written as asserts, against a program in another process.

The tests run here, on plain data: what the program defines, patches or forges over there cannot judge it. Their names
are bound to the dataset's setup and to functions that call the program; expected values never leave this process.
"""

import contextlib
import json
import linecache
import os
import re
import time
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

from asserts import Asserts, unbound_names
from explain import own_traceback, short_repr, shortened
from remote import Connection, Fault

FILE = "tests.py"
_TEXT_LIMIT, _VALUE_LIMIT, _TRACEBACK_LIMIT = 1000, 500, 4000


def report_tests(
    tests: str, setup: str, function: str, read_from: int, write_to: int, result: int, seconds: float
) -> None:
    """Runs the tests and writes what ``run_tests`` returns to the descriptor ``result`` as JSON of some ten KiB."""
    record = json.dumps(run_tests(tests, setup, function, read_from, write_to, seconds)).encode("ascii")
    while record:
        record = record[os.write(result, record) :]


def run_tests(
    tests: str, setup: str, function: str, read_from: int, write_to: int, seconds: float
) -> dict[str, str | None]:
    """What came of the tests; at most ``seconds`` of it are waiting for the program's answers, from now on.

    Returns:
        All of it texts, cut to a bounded length, or None where there is nothing to tell:

        outcome     ``passed``, ``failed`` (through the program) or ``test_error`` (the tests are faulty)
        kind        why it failed: ``assertion``; ``exception`` (the program raised it); ``value`` (what the program
                    returned made the tests raise another); ``uncarried`` (a value that no test can use, e.g. one that
                    contains itself); ``gone`` (the program ended); ``protocol`` (it wrote to the connection itself);
                    ``time_limit``
        message     the exception's, or what happened
        traceback   the program's for ``exception``, else that in the tests
        line        the failed assert, or the line of the tests that raised
        call        the last call of the program before that
        actual, operator, expected
                    the two sides of the failed assert, the tested one first; operator e.g. ``==``
    """
    run = _Run(tests, function, Connection(read_from, write_to, time.monotonic() + seconds))
    error = None
    try:
        run.execute(setup)
    except BaseException as raised:  # also what a program or a test ends itself with
        error = raised
    if run.connection.fault is not None:
        error = run.connection.fault
    return run.record(error)


class _Run:
    def __init__(self, tests: str, function: str, connection: Connection) -> None:
        self.connection = connection
        self._tests = tests
        self._function = function
        self._asserts: Asserts | None = None
        self._missing: set[str] = set()
        self._lent: set[str] = set()

    def execute(self, setup: str) -> None:
        """Raises whatever the tests or the program do."""
        namespace: dict[str, Any] = {"__name__": "tests"}
        with _numpy_without_empty_matches(self._tests + setup):
            exec(compile(setup, "setup.py", "exec", dont_inherit=True), namespace)
            wanted = unbound_names(self._tests, FILE, namespace) | {self._function}
            self._asserts = Asserts(self._tests, FILE, wanted)
            linecache.cache[FILE] = (len(self._tests), None, self._tests.splitlines(keepends=True), FILE)
            found = set(self.connection.callables(sorted(wanted))) & wanted
            self._missing, self._lent = wanted - found, found - {self._function}
            # A call of a function that is missing raises NameError over there.
            namespace |= {name: self.connection.function(name) for name in found | {self._function}}
            exec(self._asserts.code, namespace)

    def record(self, error: BaseException | None) -> dict[str, str | None]:
        """See ``run_tests``."""
        fields = "outcome kind message traceback line call actual operator expected"
        record: dict[str, str | None] = dict.fromkeys(fields.split())
        if error is None:
            return record | {"outcome": "passed"}
        kind = self._kind(error)
        text = self.connection.traceback if kind == "exception" and _is_or_follows(error, self.connection.error) else ""
        record["outcome"] = "failed" if kind else "test_error"
        record["kind"] = kind
        record["message"] = shortened(_message(error), _TEXT_LIMIT)
        record["traceback"] = shortened(text, _TRACEBACK_LIMIT) or own_traceback(error, (FILE, "setup.py"))
        with contextlib.suppress(Exception):  # of arguments that have no repr any more
            record["call"] = shortened(self.connection.last_call(_VALUE_LIMIT), _TEXT_LIMIT) or None
        steps = [step for step in traceback.walk_tb(error.__traceback__) if step[0].f_code.co_filename == FILE]
        if steps and self._asserts is not None:
            frame, line = steps[-1]
            record["line"] = shortened(self._asserts.text(line), _TEXT_LIMIT)
            if kind == "assertion":
                record |= self._sides(frame, line)
        return record

    def _kind(self, error: BaseException) -> str | None:
        """Why the tests failed; None: through themselves, which they can only while the program has done nothing."""
        if isinstance(error, Fault):
            return error.kind
        if _is_or_follows(error, self.connection.error) and not (
            isinstance(error, AssertionError) and error is not self.connection.error
        ):
            return "exception"
        if isinstance(error, NameError) and error.name in self._missing:
            return "exception"
        if self.connection.num_calls == 0 and not self._lent:
            return None
        return "assertion" if isinstance(error, AssertionError) else "value"

    def _sides(self, frame: FrameType, line: int) -> dict[str, str]:
        sides = self._asserts.sides(frame, line, self.connection.value)
        if sides is None:
            return {}
        told = {"actual": short_repr(sides.left, _VALUE_LIMIT)}
        if sides.operator:
            told |= {"operator": sides.operator, "expected": short_repr(sides.right, _VALUE_LIMIT)}
        return told


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # an int of too many digits
        text = ""
    if isinstance(error, Fault | AssertionError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_or_follows(error: BaseException | None, source: BaseException | None) -> bool:
    """Whether an exception is ``source``, or was raised while that was handled."""
    seen = set()
    while error is not None and source is not None and id(error) not in seen:
        if error is source:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def _numpy_without_empty_matches(sources: str) -> Iterator[None]:
    """In it nothing empty is close to what is not.

    numpy spreads one number over the other side's shape, so an empty list is close to every number: a program that
    returns [] would pass each test that compares floats.
    """
    if not re.search(r"\bnumpy\b", sources):
        yield
        return
    try:
        import numpy
    except ImportError:  # the tests will say so themselves
        yield
        return
    originals = {name: getattr(numpy, name) for name in ("allclose", "isclose")}
    for name, original in originals.items():
        setattr(numpy, name, _unless_one_is_empty(numpy, original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(numpy, name, original)


def _unless_one_is_empty(numpy: Any, original: Any) -> Any:
    def compare(a: Any, b: Any, *args: Any, **kwargs: Any) -> Any:
        if (numpy.size(a) == 0) != (numpy.size(b) == 0):
            return numpy.False_
        return original(a, b, *args, **kwargs)

    return compare
