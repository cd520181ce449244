# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Is what a program wrote, or what its function returned, the expected thing?

Called outside the sandbox on bytes of an untrusted program: nothing here raises on them, takes more time than their
length warrants, or makes numbers larger than their text.
"""

import json
import math
import re
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any

# A longer number is compared as text.
MAX_NUMBER_CHARS = 10_000
# Of JSON values; Python's own parser gives up somewhere below 1,000, depending on who calls it.
MAX_DEPTH = 500
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,15})?")
_NOT_FINITE = re.compile(r"([+-]?)(?:(inf|infinity)|nan)", re.IGNORECASE)
# Python's own bound for the conversion of a text to an int, below which it is quick.
_MAX_INT_CHARS = 4000
# Enough for a tolerance; without traps, so that no size of number raises.
_CONTEXT = Context(prec=50, Emin=-(10**17), Emax=10**17, traps=[])
_EXCERPT_CHARS = 60


def same_output(actual: bytes | str, expected: str, tolerance: float | None = None) -> bool:
    """Whether a standard output is the expected one.

    Compared line by line, white space at the ends of lines and empty lines at the end left out. Lines are the same
    where their texts are, or where all their words are numbers of the same value (``0.50`` is ``0.5``, NaN is NaN).

    Args:
        actual: what the program wrote; bytes that are no UTF-8 equal nothing.
        expected: what it should have written.
        tolerance: numbers may differ by this, or by this part of the expected number where that is above 1; other
            words on the same line must be the same. None: not at all.
    """
    return _first_wrong_line(_lines(actual), _lines(expected), tolerance) is None


def first_difference(actual: bytes | str, expected: str, tolerance: float | None = None) -> str:
    """Where two outputs differ first, in one short line; empty where they are the same."""
    given, wanted = _lines(actual), _lines(expected)
    index = _first_wrong_line(given, wanted, tolerance)
    if index is None:
        return ""
    if index >= len(given):
        return f"line {index + 1} is missing: expected {_excerpt(wanted[index])}"
    if index >= len(wanted):
        return f"line {index + 1} is one too many: {_excerpt(given[index])}"
    start = _common_start(given[index], wanted[index])
    place = f"line {index + 1}" if start == 0 else f"line {index + 1}, character {start + 1}"
    return f"{place}: {_excerpt(given[index][start:])} instead of {_excerpt(wanted[index][start:])}"


def same_value(actual_json: str | bytes, expected_json: str, tolerance: float | None = None) -> bool:
    """Whether a returned value is the expected one, by JSON value.

    1 is 1.0, but neither true nor "1"; NaN is NaN, -0.0 is 0. An object that has a name twice equals nothing, nor does
    what is nested over 500 levels.

    Args:
        actual_json: what the sandbox wrote of the value.
        expected_json: the test's.
        tolerance: numbers may differ by this, or by this part of the expected number where that is above 1. None: not
            at all.
    """
    try:
        # Not left to json, which would also try UTF-16.
        text = actual_json.decode() if isinstance(actual_json, bytes) else actual_json
        return _same(_parsed(text), _parsed(expected_json), tolerance)
    except (ValueError, RecursionError):
        return False


def _lines(text: bytes | str) -> list[str]:
    if isinstance(text, bytes):
        # What is no UTF-8 becomes halves of characters, which no expected text has.
        text = text.decode("utf-8", "surrogateescape")
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _first_wrong_line(given: list[str], wanted: list[str], tolerance: float | None) -> int | None:
    if given == wanted:
        return None
    for index, (mine, theirs) in enumerate(zip(given, wanted, strict=False)):
        if mine != theirs and not _same_line(mine, theirs, tolerance):
            return index
    return None if len(given) == len(wanted) else min(len(given), len(wanted))


def _same_line(given: str, wanted: str, tolerance: float | None) -> bool:
    mine, theirs = given.split(), wanted.split()
    # An empty line among others is one of its own; a line without numbers was compared as text.
    if len(mine) != len(theirs) or not mine:
        return False
    return all(_same_word(a, b, tolerance) for a, b in zip(mine, theirs, strict=True))


def _same_word(given: str, wanted: str, tolerance: float | None) -> bool:
    mine, theirs = _number(given), _number(wanted)
    if mine is None or theirs is None:
        # Without a tolerance a line with other words than numbers is text, whose inner white space counts.
        return tolerance is not None and given == wanted
    return _same_number(mine, theirs, tolerance)


def _number(word: str) -> Decimal | None:
    if len(word) > MAX_NUMBER_CHARS:
        return None
    if _NUMBER.fullmatch(word):
        return Decimal(word)
    special = _NOT_FINITE.fullmatch(word)
    if special is None:
        return None
    return Decimal(f"{special[1]}Infinity") if special[2] else Decimal("NaN")


def _same_number(mine: Decimal, theirs: Decimal, tolerance: float | None) -> bool:
    if mine.is_nan() or theirs.is_nan():
        return mine.is_nan() and theirs.is_nan()
    if mine == theirs:
        return True
    if tolerance is None or not (mine.is_finite() and theirs.is_finite()):
        return False
    scale = max(Decimal(1), theirs.copy_abs())
    difference = _CONTEXT.subtract(mine, theirs).copy_abs()
    bound = _CONTEXT.multiply(Decimal(repr(tolerance)), scale)
    return difference.is_finite() and bound.is_finite() and difference <= bound


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique, parse_int=_integer)


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MAX_INT_CHARS else Decimal(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _same(actual: Any, expected: Any, tolerance: float | None) -> bool:
    # A stack of its own: a chain of calls could be too long.
    levels: list[Iterator[tuple[Any, Any]]] = [iter([(actual, expected)])]
    while levels:
        pair = next(levels[-1], None)
        if pair is None:
            levels.pop()
            continue
        mine, theirs = pair
        if not isinstance(theirs, list | dict):
            if not _same_leaf(mine, theirs, tolerance):
                return False
        elif len(levels) > MAX_DEPTH or not _same_shape(mine, theirs):
            return False
        else:
            levels.append(_parts(mine, theirs))
    return True


def _same_shape(mine: Any, theirs: list[Any] | dict[str, Any]) -> bool:
    if isinstance(theirs, list):
        return isinstance(mine, list) and len(mine) == len(theirs)
    return isinstance(mine, dict) and mine.keys() == theirs.keys()


def _parts(mine: Any, theirs: list[Any] | dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    if isinstance(theirs, list):
        return zip(mine, theirs, strict=True)
    return ((mine[name], value) for name, value in theirs.items())


def _same_leaf(mine: Any, theirs: Any, tolerance: float | None) -> bool:
    if not (_is_number(mine) and _is_number(theirs)):
        return type(mine) is type(theirs) and mine == theirs
    # Most are the same; Python compares int with float exactly.
    return mine == theirs or _same_number(_as_decimal(mine), _as_decimal(theirs), tolerance)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _as_decimal(value: Any) -> Decimal:
    return Decimal(str(value)) if isinstance(value, float) and math.isfinite(value) else Decimal(value)


def _common_start(given: str, wanted: str) -> int:
    """Length of what two texts begin with alike. By halves: texts of a million characters are compared in one go."""
    low, high = 0, min(len(given), len(wanted))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if given[low:middle] == wanted[low:middle] else (low, middle - 1)
    return low


def _excerpt(text: str) -> str:
    if not text:
        return "nothing"
    return repr(text) if len(text) <= _EXCERPT_CHARS else repr(text[:_EXCERPT_CHARS]) + "..."
