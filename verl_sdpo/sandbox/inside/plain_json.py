# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A value as the text of JSON, by its contents, whatever a subclass's own methods say."""

import json
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 200
_mro = type.__dict__["__mro__"].__get__


def to_json(value: Any) -> str:
    """Tuples and deques become arrays, numpy's values what they hold, keys texts; NaN and Infinity are as they are.

    Raises:
        TypeError: a type that JSON has no value for, e.g. a set.
        ValueError: nested too deeply or in itself, or an int of too many digits.
    """
    return json.dumps(_plain(value, 0))


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError(f"the value is nested in more than {MAX_DEPTH} others, or in itself")
    numpy = sys.modules.get("numpy")
    for base in _mro(type(value)):
        if base in _PLAIN:
            return _PLAIN[base](value, depth)
        if numpy is not None and base in (numpy.generic, numpy.ndarray):
            held = base.tolist(value)
            if isinstance(held, numpy.generic):  # e.g. a longdouble
                break
            return _plain(held, depth + 1)
    raise TypeError(f"a value of type {type(value).__name__} cannot be written as JSON")


def _object(value: dict, depth: int) -> dict:
    items = {_key(key): _plain(item, depth + 1) for key, item in dict.items(value)}
    if len(items) < dict.__len__(value):
        raise ValueError("two keys of a dict are the same text")
    return items


def _key(key: Any) -> str:
    """The text that JSON has for a key: of a number, a truth value or None that of the value."""
    plain = _plain(key, 0)
    if isinstance(plain, list | dict):
        raise TypeError(f"a key of type {type(key).__name__} cannot be written as JSON")
    return plain if isinstance(plain, str) else json.dumps(plain)


def _array(iterate: Callable[[Any], Any]) -> Callable[[Any, int], list]:
    return lambda value, depth: [_plain(item, depth + 1) for item in iterate(value)]


_PLAIN: dict[type, Callable[[Any, int], Any]] = {
    type(None): lambda value, depth: None,
    bool: lambda value, depth: value,
    int: lambda value, depth: int.__index__(value),
    float: lambda value, depth: float.__float__(value),
    str: lambda value, depth: str.__str__(value),
    list: _array(list.__iter__),
    tuple: _array(tuple.__iter__),
    deque: _array(deque.__iter__),
    dict: _object,
}
