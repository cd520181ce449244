# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes to values; the form is told in ``codec_form``."""

import struct
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

from codec_form import COMPLEX, DTYPE, FLOAT, INT, LENGTH, MAX_DEPTH, MAX_ITEMS, TOKEN, DecodingError, Token

# What the types raise at contents that they do not accept.
_REFUSALS = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, ImportError, struct.error)


class Reader:
    """Takes values from bytes, which may be anyone's; ``position`` is where the next begins."""

    def __init__(self, data: bytes, make: Callable[[Token], Any] | None = None, position: int = 0) -> None:
        self.data = data
        self.position = position
        self._make = make
        self._num_items = 0

    def read(self) -> Any:
        """The next value.

        Raises:
            DecodingError: there is none.
        """
        try:
            return self._value(0)
        except DecodingError:
            raise
        except _REFUSALS as error:
            raise DecodingError(f"not a value: {type(error).__name__}: {error}") from None

    def expect_end(self) -> None:
        if self.position != len(self.data):
            raise DecodingError(f"{len(self.data) - self.position} bytes too many")

    def _value(self, depth: int) -> Any:
        letter = self.data[self.position]
        self.position += 1
        return _READERS[letter](self, depth)

    def unpack(self, form: struct.Struct) -> tuple:
        values = form.unpack_from(self.data, self.position)
        self.position += form.size
        return values

    def chunk(self, size: int = 1) -> bytes:
        """The contents of a value whose length, in units of ``size`` bytes, is next."""
        length = self.unpack(LENGTH)[0] * size
        start, self.position = self.position, self.position + length
        if self.position > len(self.data):
            raise DecodingError("a value is cut short")
        return self.data[start : self.position]

    def items(self, depth: int, halves: int = 1) -> list:
        """The items of a container, or its keys and values, one after the other."""
        length = self.unpack(LENGTH)[0]
        self._num_items += length
        if depth >= MAX_DEPTH or self._num_items > MAX_ITEMS or length > len(self.data) - self.position:
            raise DecodingError("a value is too deep, too large or cut short")
        data = self.data
        items = []
        for _ in range(length * halves):
            letter = data[self.position]
            self.position += 1
            items.append(_READERS[letter](self, depth + 1))
        return items

    def pairs(self, depth: int) -> Any:
        items = iter(self.items(depth, 2))
        return zip(items, items)

    def nested(self, depth: int, kind: type) -> Any:
        """The next value, which makes up the one at ``depth`` and must be of the type ``kind``."""
        if depth >= MAX_DEPTH:
            raise DecodingError("a value is too deep")
        value = self._value(depth + 1)
        if type(value) is not kind:
            raise DecodingError(f"a value is made of a {type(value).__name__}, not of a {kind.__name__}")
        return value

    def parts(self, depth: int, kind: type) -> tuple:
        """The parts of the value at ``depth``, all of the type ``kind``."""
        parts = self.nested(depth, tuple)
        if any(type(part) is not kind for part in parts):
            raise DecodingError(f"a value has a part that is no {kind.__name__}")
        return parts

    def token(self, depth: int) -> Any:
        token = Token(*self.unpack(TOKEN), self.nested(depth, str), self.nested(depth, str))
        if self._make is None:
            raise DecodingError(f"an object of type {token.type_name}")
        return self._make(token)


def _read_numpy(reader: Reader, depth: int) -> Any:
    import numpy  # the interpreter may have none, and then neither has the other side

    dtype, shape, data = reader.nested(depth, tuple)
    if type(dtype) is not str or not DTYPE.fullmatch(dtype) or type(shape) is not tuple or type(data) is not bytes:
        raise DecodingError("an array's dtype, shape or data is none")
    array = numpy.frombuffer(data, numpy.dtype(dtype)) if data else numpy.empty(0, numpy.dtype(dtype))
    array = array.reshape(shape).copy()
    if "U" in dtype and numpy.frombuffer(data, dtype[0].replace("|", "=") + "u4").max(initial=0) > 0x10FFFF:
        raise DecodingError("an array of texts has numbers that are no characters")
    return array


def _read_instant(reader: Reader, depth: int) -> Any:
    name, *parts = reader.nested(depth, tuple)
    kind = {"date": date, "time": time, "datetime": datetime, "timedelta": timedelta}[name]
    if kind in (time, datetime) and parts[-1] is not None:
        parts[-1] = timezone(parts[-1])
    return kind(*parts)


def _read_numbers(code: str) -> Callable[[Reader, int], list]:
    def read(reader: Reader, depth: int) -> list:
        data = reader.chunk(8)
        return list(struct.unpack(f"<{len(data) // 8}{code}", data))

    return read


_READERS: dict[int, Callable[[Reader, int], Any]] = {
    ord(letter): read
    for letter, read in {
        "N": lambda reader, depth: None,
        "T": lambda reader, depth: True,
        "F": lambda reader, depth: False,
        "i": lambda reader, depth: reader.unpack(INT)[0],
        "I": lambda reader, depth: int.from_bytes(reader.chunk(), "little", signed=True),
        "d": lambda reader, depth: reader.unpack(FLOAT)[0],
        "c": lambda reader, depth: complex(*reader.unpack(COMPLEX)),
        "s": lambda reader, depth: reader.chunk().decode("utf-8", "surrogatepass"),
        "b": lambda reader, depth: reader.chunk(),
        "a": lambda reader, depth: bytearray(reader.chunk()),
        "L": _read_numbers("q"),
        "D": _read_numbers("d"),
        "t": lambda reader, depth: tuple(reader.items(depth)),
        "l": lambda reader, depth: reader.items(depth),
        "h": lambda reader, depth: set(reader.items(depth)),
        "z": lambda reader, depth: frozenset(reader.items(depth)),
        "q": lambda reader, depth: deque(reader.items(depth)),
        "m": lambda reader, depth: dict(reader.pairs(depth)),
        "C": lambda reader, depth: Counter(dict(reader.pairs(depth))),
        "O": lambda reader, depth: OrderedDict(reader.pairs(depth)),
        "k": lambda reader, depth: dict(reader.pairs(depth)).keys(),
        "p": lambda reader, depth: dict(reader.pairs(depth)).items(),
        "v": lambda reader, depth: dict(enumerate(reader.nested(depth, list))).values(),
        "r": lambda reader, depth: range(*reader.parts(depth, int)),
        "R": lambda reader, depth: Fraction(*reader.parts(depth, int)),
        "E": lambda reader, depth: Decimal(*reader.parts(depth, str)),
        "e": _read_instant,
        "A": _read_numpy,
        "u": lambda reader, depth: _read_numpy(reader, depth)[()],
        "o": Reader.token,
    }.items()
}
