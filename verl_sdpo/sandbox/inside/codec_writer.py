# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Values to bytes; the form is told in ``codec_form``."""

import struct
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

from codec_form import COMPLEX, DTYPE, FLOAT, INT, LENGTH, MAX_DEPTH, MAX_ITEMS, TOKEN, EncodingError, Token

_mro = type.__dict__["__mro__"].__get__


class Writer:
    """Appends values to ``out``."""

    def __init__(self, keep: Callable[[Any], Token] | None = None) -> None:
        self.out = bytearray()
        self._keep = keep
        self._num_items = 0

    def write(self, value: Any, depth: int = 0) -> None:
        """Raises EncodingError as ``encode`` does; ``out`` then has a part of the value."""
        write = _WRITERS.get(type(value)) or _writer_of(type(value))
        write(self, value, depth)

    def letter_and_length(self, letter: bytes, length: int) -> None:
        if length > 0xFFFFFFFF:
            raise EncodingError("a value of over 4 GiB")
        self.out += letter
        self.out += LENGTH.pack(length)

    def items(self, letter: bytes, length: int, items: Any, depth: int) -> None:
        """A container's letter, length (in pairs or items) and ``items``, one after the other."""
        self._num_items += length
        if depth >= MAX_DEPTH:
            raise EncodingError(f"a value nested in more than {MAX_DEPTH} others, or in itself")
        if self._num_items > MAX_ITEMS:
            raise EncodingError(f"a value of more than {MAX_ITEMS:,} items")
        self.letter_and_length(letter, length)
        for item in items:
            write = _WRITERS.get(type(item)) or _writer_of(type(item))
            write(self, item, depth + 1)

    def token(self, value: Any) -> None:
        if self._keep is None:
            raise EncodingError(f"an object of type {type(value).__name__}")
        number, flags, type_name, text = self._keep(value)
        self.out += b"o" + TOKEN.pack(number, flags)
        _write_text(self, type_name, 0)
        _write_text(self, text, 0)


def _write_int(writer: Writer, value: int, depth: int) -> None:
    value = int.__index__(value)
    if -(2**63) <= value < 2**63:
        writer.out += b"i" + INT.pack(value)
    else:
        _write_bytes(writer, b"I", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _write_complex(writer: Writer, value: complex, depth: int) -> None:
    writer.out += b"c" + COMPLEX.pack(complex.real.__get__(value), complex.imag.__get__(value))


def _write_text(writer: Writer, value: str, depth: int) -> None:
    _write_bytes(writer, b"s", str.encode(value, "utf-8", "surrogatepass"))


def _write_bytes(writer: Writer, letter: bytes, data: bytes) -> None:
    writer.letter_and_length(letter, len(data))
    writer.out += data


def _write_list(writer: Writer, value: list, depth: int) -> None:
    items = list(list.__iter__(value))
    kinds = set(map(type, items))
    if len(items) > 1 and (kinds == {int} or kinds == {float}):
        letter, code = (b"L", "q") if kinds == {int} else (b"D", "d")
        try:
            data = struct.pack(f"<{len(items)}{code}", *items)
        except struct.error:  # an int of more than 64 bits
            pass
        else:
            writer.letter_and_length(letter, len(items))
            writer.out += data
            return
    writer.items(b"l", len(items), items, depth)


def _container(letter: bytes, kind: type) -> Callable[[Writer, Any, int], None]:
    def write(writer: Writer, value: Any, depth: int) -> None:
        items = list(kind.__iter__(value))
        writer.items(letter, len(items), items, depth)

    return write


def _mapping(letter: bytes, items_of: Callable[[Any], Any]) -> Callable[[Writer, Any, int], None]:
    def write(writer: Writer, value: Any, depth: int) -> None:
        pairs = list(items_of(value))
        writer.items(letter, len(pairs), [half for pair in pairs for half in pair], depth)

    return write


def _parts(letter: bytes, parts_of: Callable[[Any], tuple]) -> Callable[[Writer, Any, int], None]:
    def write(writer: Writer, value: Any, depth: int) -> None:
        writer.out += letter
        writer.write(parts_of(value), depth + 1)

    return write


def _write_instant(writer: Writer, value: date | time, depth: int) -> None:
    """The name and arguments that make a date, datetime or time; of time zones only fixed offsets are carried."""
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone) is not timezone:
        writer.token(value)
        return
    names = "year month day hour minute second microsecond"
    parts = [getattr(value, name) for name in names.split() if hasattr(value, name)]
    if type(value) is not date:
        parts.append(None if zone is None else zone.utcoffset(None))
    writer.out += b"e"
    writer.write((type(value).__name__, *parts), depth + 1)


def _write_numpy(letter: bytes) -> Callable[[Writer, Any, int], None]:
    def write(writer: Writer, value: Any, depth: int) -> None:
        numpy = sys.modules["numpy"]
        array = numpy.array(value, subok=False, order="C")
        if not DTYPE.fullmatch(array.dtype.str):
            writer.token(value)
            return
        writer.out += letter
        writer.write((array.dtype.str, tuple(map(int, array.shape)), array.tobytes()), depth + 1)

    return write


_WRITERS: dict[type, Callable[[Writer, Any, int], None]] = {
    type(None): lambda writer, value, depth: writer.out.extend(b"N"),
    bool: lambda writer, value, depth: writer.out.extend(b"T" if value else b"F"),
    int: _write_int,
    float: lambda writer, value, depth: writer.out.extend(b"d" + FLOAT.pack(value)),
    complex: _write_complex,
    str: _write_text,
    bytes: lambda writer, value, depth: _write_bytes(writer, b"b", bytes.__getitem__(value, slice(None))),
    bytearray: lambda writer, value, depth: _write_bytes(
        writer, b"a", bytes(bytearray.__getitem__(value, slice(None)))
    ),
    tuple: _container(b"t", tuple),
    list: _write_list,
    set: _container(b"h", set),
    frozenset: _container(b"z", frozenset),
    deque: _container(b"q", deque),
    dict: _mapping(b"m", dict.items),
    Counter: _mapping(b"C", dict.items),
    OrderedDict: _mapping(b"O", OrderedDict.items),
    type({}.keys()): _mapping(b"k", lambda keys: ((key, None) for key in keys)),
    type({}.items()): _mapping(b"p", iter),
    type({}.values()): _parts(b"v", list),
    range: _parts(b"r", lambda value: (value.start, value.stop, value.step)),
    Fraction: _parts(b"R", lambda value: (value.numerator, value.denominator)),
    Decimal: _parts(b"E", lambda value: (Decimal.__str__(value),)),
    date: _write_instant,
    time: _write_instant,
    datetime: _write_instant,
    timedelta: _parts(b"e", lambda value: ("timedelta", value.days, value.seconds, value.microseconds)),
}


def _writer_of(kind: type) -> Callable[[Writer, Any, int], None]:
    numpy = sys.modules.get("numpy")
    for base in _mro(kind):
        if numpy is not None and base in (numpy.generic, numpy.ndarray):
            return _write_numpy(b"u" if base is numpy.generic else b"A")
        if base in _WRITERS and base not in (date, time, datetime):
            return _WRITERS[base]
    return lambda writer, value, depth: writer.token(value)
