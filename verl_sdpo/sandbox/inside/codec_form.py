# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""How values are written as bytes: by a letter and their contents, little-endian.

N T F               None, True, False
i d c               int of 64 bits, float, complex
I s b a             length, then: int of any size (two's complement), str (UTF-8), bytes, bytearray
t l h z q           number of items, then the items: tuple, list, set, frozenset, deque
L D                 number of items, then 64 bits each: list of ints, list of floats
m C O k p           number of pairs, then key and value of each: dict, Counter, OrderedDict; dict's keys and items
v                   a list: dict's values
r R E e             a tuple: range, Fraction, Decimal, date and its kin
A u                 a tuple of dtype, shape and data: numpy array, numpy scalar
o                   a token: number, flags, name of the type, repr
"""

import re
import struct
from typing import NamedTuple

MAX_DEPTH = 200
# Items of containers in one value, those of a list of numbers left out: bounds what a message becomes in memory.
MAX_ITEMS = 5_000_000
# numpy's name of a type whose arrays hold their contents themselves: numbers and texts.
DTYPE = re.compile(r"[<>|](?:[biufc]\d{1,2}|[SU]\d{1,8})")
LENGTH, INT, FLOAT, COMPLEX, TOKEN = map(struct.Struct, ("<I", "<q", "<d", "<dd", "<qB"))


class EncodingError(ValueError):
    """A value that cannot be carried."""


class DecodingError(ValueError):
    """Bytes that are no value."""


class Token(NamedTuple):
    """What is told of an object that cannot be carried."""

    number: int
    flags: int
    type_name: str
    text: str
