# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The ground truth of programming problems: which tests a program must pass. This text is its specification.

A ground truth is the JSON text of an object with exactly these fields:

``version``       1.
``kind``          how a test uses the program: ``stdin``, ``function`` or ``asserts``.
``tests``         list of at least one ``{"input": text, "output": text, "is_public": bool}``, in the source's order.
                  Public means that the prompt shows it.
``function``      name of the function that is called (``function``, ``asserts``); null for ``stdin``.
``setup``         Python source that runs before the program and in its namespace, e.g. imports which the source takes
                  for granted; often empty.
``time_limit``    seconds of CPU time for each test, above 0.
``memory_limit``  MiB for each test, above 0; null where the source states none.
``checker``       Python source of a program that judges outputs, where several are right; null: outputs are compared.
``tolerance``     how far numbers in outputs may be off: by so much, or by so much of the expected number where that
                  is above 1; above 0. May be left out, which is null: numbers are compared exactly. Only where outputs
                  are compared: not for ``asserts`` nor beside a checker.

By kind, ``input`` and ``output`` are

``stdin``     what the program reads from standard input, and what it must write to standard output. Compared by line,
              white space at the ends of lines and empty lines at the end left out; lines of numbers by value
              (``code_compare.py``).
``function``  JSON array of the positional arguments, and JSON of the value that must be returned. Compared as JSON
              values, so a tuple equals a list. A program may define the function itself or as a method of a class
              ``Solution``, which is then made without arguments.
``asserts``   Python source that runs after the program and in its namespace, and an empty text. The test is passed
              where nothing is raised. It may use ``numpy``.

A checker is called as ``checker.py INPUT EXPECTED ACTUAL`` with the names of three files, and prints a number; above 0
is accepted. Programs, tests and checkers are foreign code: run them in a sandbox.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from verl_sdpo.rewards.truth_cache import TruthCache

VERSION = 1
KINDS = ("stdin", "function", "asserts")
MAX_TESTS = 10_000
# Some problems are tested with inputs of 10^6 numbers, so a hundred MiB is real; a GiB would not fit into a column.
MAX_MIB = 256
_MIB = 2**20
_FIELDS = ("version", "kind", "tests", "function", "setup", "time_limit", "memory_limit", "checker")
_OPTIONAL_FIELDS = ("tolerance",)
_REMEDY = "; correct the row's reward_model.ground_truth"


class CodeTest(NamedTuple):
    """One test; see the module's text for what input and output are."""

    input: str
    output: str
    is_public: bool = False


@dataclass(frozen=True)
class CodeTruth:
    """A ground truth that is as specified; see the module's text."""

    kind: str
    tests: tuple[CodeTest, ...]
    function: str | None
    setup: str
    time_limit: float
    memory_limit: float | None
    checker: str | None
    tolerance: float | None = None


class TruthFault(ValueError):
    """A ground truth that is not as specified.

    Args:
        reason: names the field, its value and what it should be.
        kind: the same without the value, under which faults of many rows can be counted.
    """

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.kind = kind or reason


# Every response to a question brings the same text. 256 MiB of it is what one ground truth may have.
_cache = TruthCache(max_chars=MAX_MIB * _MIB, max_entries=256)


def read_code_truth(text: str) -> CodeTruth:
    """The ground truth that a row has, checked. Safe to call from threads; repeated texts are read once.

    Raises:
        ValueError: which field is not as specified, its value, and what to do.
    """
    if not isinstance(text, str):
        raise ValueError(f"ground truth must be JSON text, is {type(text).__name__}{_REMEDY}")
    return _cache.get(text, _read)


def _read(text: str) -> CodeTruth:
    try:
        return as_truth(decoded_truth(text))
    except TruthFault as error:
        raise ValueError(f"{error}{_REMEDY}") from error


def truth_text(
    kind: str,
    tests: Iterable[CodeTest],
    *,
    time_limit: float,
    function: str | None = None,
    setup: str = "",
    memory_limit: float | None = None,
    checker: str | None = None,
    tolerance: float | None = None,
) -> str:
    """A ground truth as text.

    Raises:
        TruthFault: it would not be as specified.
    """
    truth = {
        "version": VERSION,
        "kind": kind,
        "tests": [test._asdict() for test in tests],
        "function": function,
        "setup": setup,
        "time_limit": time_limit,
        "memory_limit": memory_limit,
        "checker": checker,
    }
    if tolerance is not None:
        truth["tolerance"] = tolerance
    check_truth(truth)
    return json.dumps(truth, ensure_ascii=False, allow_nan=False)


def decoded_truth(text: str) -> dict[str, Any]:
    """The object behind a ground truth, checked.

    Raises:
        TruthFault: it is not as specified.
    """
    try:
        truth = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TruthFault(f"ground truth is not JSON: {error}", "ground truth is not JSON") from error
    check_truth(truth)
    return truth


def as_truth(truth: Mapping[str, Any]) -> CodeTruth:
    """An object that was checked, as plain data."""
    values = {name: value for name, value in truth.items() if name != "version"}
    return CodeTruth(**values | {"tests": tuple(CodeTest(**test) for test in truth["tests"])})


def check_truth(truth: Any) -> None:
    """Refuse what is not as specified.

    Raises:
        TruthFault: which field, its value, and what it should be.
    """
    if not isinstance(truth, dict) or not set(_FIELDS) <= set(truth) <= {*_FIELDS, *_OPTIONAL_FIELDS}:
        raise TruthFault(f"ground truth must be an object with {', '.join(_FIELDS)} and, if need be, tolerance")
    if truth["version"] != VERSION:
        raise TruthFault(f"ground truth has version {_shown(truth['version'])}, must have {VERSION}")
    if truth["kind"] not in KINDS:
        raise TruthFault(f"kind {_shown(truth['kind'])} is not one of {', '.join(KINDS)}", "unknown kind of tests")
    _check_tests(truth["tests"], truth["kind"])
    _check_function(truth["function"], truth["kind"])
    for name in ("setup", "checker"):
        if not _is_text(truth[name]) and not (name == "checker" and truth[name] is None):
            raise TruthFault("setup must be text, checker text or null")
    for name in ("time_limit", "memory_limit", "tolerance"):
        value = truth.get(name)
        if not is_positive(value) and not (name != "time_limit" and value is None):
            raise TruthFault(f"{name} {_shown(value)} is no number above 0", f"{name} is no number above 0")
    if truth.get("tolerance") is not None and (truth["kind"] == "asserts" or truth["checker"] is not None):
        place = "kind asserts" if truth["kind"] == "asserts" else "a checker"
        raise TruthFault(f"tolerance {truth['tolerance']} has no effect with {place}: leave it out")


def is_positive(value: Any) -> bool:
    """Whether a value is a finite number above 0; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _check_tests(tests: Any, kind: str) -> None:
    if not isinstance(tests, list) or not 1 <= len(tests) <= MAX_TESTS:
        found = len(tests) if isinstance(tests, list) else type(tests).__name__
        raise TruthFault(f"needs 1 to {MAX_TESTS:,} tests, has {found}", "has no tests, or too many")
    for number, test in enumerate(tests):
        _check_test(number, test, kind)
    size = sum(len(test["input"]) + len(test["output"]) for test in tests)
    if size > MAX_MIB * _MIB:
        raise TruthFault(f"tests have {size / _MIB:.0f} MiB, over {MAX_MIB}", f"tests over {MAX_MIB} MiB")


def _check_test(number: int, test: Any, kind: str) -> None:
    if not isinstance(test, Mapping) or set(test) != set(CodeTest._fields):
        raise TruthFault(f"test {number} must have {', '.join(CodeTest._fields)}", "a test lacks a field")
    if not _is_text(test["input"]) or not _is_text(test["output"]):
        raise TruthFault(f"test {number}: input and output must be text", "a test's input or output is no text")
    if not isinstance(test["is_public"], bool):
        raise TruthFault(f"test {number}: is_public must be true or false", "a test's is_public is no truth value")
    if kind == "function" and not (_is_json(test["input"], list) and _is_json(test["output"], object)):
        raise TruthFault(
            f"test {number}: input must be a JSON array of arguments, output JSON", "a test's arguments are not JSON"
        )


def _check_function(function: Any, kind: str) -> None:
    is_name = isinstance(function, str) and function.isidentifier()
    if (kind == "stdin" and function is not None) or (kind != "stdin" and not is_name):
        raise TruthFault(f"function {_shown(function)} does not go with kind {kind}", "function does not go with kind")


def _is_text(value: Any) -> bool:
    """Whether a value is text that can be written: JSON can hold halves of characters."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_json(text: str, kind: type) -> bool:
    try:
        # Whole numbers as text: Python converts none over 4,300 digits.
        return isinstance(json.loads(text, parse_int=str), kind)
    except (ValueError, RecursionError):
        return False


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "..."
