# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Typed Python values as bytes, and back: what crosses between a program and its tests.

Reading bytes runs no code of theirs, whoever wrote them: only the types of ``codec_form`` are made, and anything else
is a ``DecodingError``. A value is carried by its contents: of a subclass of a built-in type the built-in value is
taken, past every method that the subclass defines, and an object that stands in two places arrives as two. What has no
contents to carry (a function, a match, an object of a class of the program's) is a token, where the caller keeps it.
"""

from collections.abc import Callable
from typing import Any

from codec_form import DecodingError, EncodingError, Token
from codec_reader import Reader
from codec_writer import Writer

__all__ = ["DecodingError", "EncodingError", "Reader", "Token", "Writer", "decode", "encode"]


def encode(value: Any, keep: Callable[[Any], Token] | None = None) -> bytes:
    """The bytes of a value. ``keep`` gives the token of an object that cannot be carried.

    Raises:
        EncodingError: the value is too large or too deep, or has such an object and ``keep`` is None.
    """
    writer = Writer(keep)
    writer.write(value)
    return bytes(writer.out)


def decode(data: bytes, make: Callable[[Token], Any] | None = None) -> Any:
    """The value of bytes. ``make`` gives the object of a token.

    Raises:
        DecodingError: the bytes are no value, or more than one, or have a token and ``make`` is None.
    """
    reader = Reader(data, make)
    value = reader.read()
    reader.expect_end()
    return value
