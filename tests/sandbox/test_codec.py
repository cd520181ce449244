# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import json
import math
import random
import struct
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.inside_modules import codec, codec_form, plain_json

Point = namedtuple("Point", "x y")


class Colour(IntEnum):
    RED = 1


def hostile(kind):
    """A subclass whose own methods all lie or raise."""

    def wrong(self, *args):
        raise RuntimeError

    names = (
        "__iter__ __len__ __getitem__ __index__ __int__ __float__ __str__ __repr__ __bool__ encode items keys".split()
    )
    always = {
        "__eq__": lambda self, other: True,
        "__hash__": lambda self: 0,
        "__class__": property(lambda self: object),
    }
    return type("Hostile", (kind,), dict.fromkeys(names, wrong) | always)


def same(one, other):
    """Equal in type and contents; NaN is NaN, and zeros have signs."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return one == other


def round_trip(value):
    return codec.decode(codec.encode(value))


SURROGATES = st.text(st.characters(exclude_categories=[]), max_size=8)
HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | SURROGATES | st.binary(max_size=8),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
VALUES = st.recursive(
    HASHABLE | st.floats() | st.complex_numbers() | st.decimals(allow_nan=False) | st.fractions() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(deque)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4).map(OrderedDict)
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(VALUES)
def test_any_nesting_comes_back_as_it_was(value):
    assert same(round_trip(value), value)


@pytest.mark.parametrize(
    "value",
    [
        *[sign * 2**bits + one for bits in (7, 31, 62, 63, 64, 20_000) for sign in (1, -1) for one in (-1, 0, 1)],
        *[0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.5 - 0.0j, complex(math.nan, -0.0)],
        *["", "a\x00", "\ud800", "\udc80\ud83d\ude00", "\U0001f600", b"\xff", bytearray(b"\x00")],
        *[[1, True], [1, 2.0], [2**63, 1], [-(2**63), 2**63 - 1], [math.nan, -0.0], [], [[]], (), ((),), set(), {}],
        *[range(5), range(9, -3, -4), Fraction(-1, 3), Decimal("1.50"), Decimal("-Infinity"), deque([1])],
        *[Counter("aab"), Counter(a=-1, b=0), OrderedDict([("b", 1), ("a", 2)]), {True: 1, "1": 2, None: 3, (1,): 4}],
        *[date(2024, 2, 29), time(1, 2, 3, 4), datetime(1, 1, 1), timedelta(-1, 5, 7)],
        datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=-3))),
        *[{1: 2}.keys(), {1: []}.items() and {1: 2}.items()],
        *[np.int64(-5), np.float32(1.5), np.float64(-0.0), np.bool_(True), np.complex128(1j), np.uint8(255)],
        *[
            np.arange(6).reshape(2, 3),
            np.arange(6.0).reshape(2, 3).T,
            np.zeros((0, 3)),
            np.array(7),
            np.array(["a", "bc"]),
        ],
        np.arange(3, dtype=">i4"),
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_each_type_comes_back_as_it_was(value):
    assert same(round_trip(value), value)


def test_views_and_defaultdicts_come_back_as_what_equals_them():
    assert list(round_trip({1: [2]}.values())) == [[2]]
    back = round_trip(defaultdict(list, a=[1]))
    assert type(back) is dict
    assert back == {"a": [1]}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[(int, 7), (float, 2.5), (complex, 1j), (str, "ab"), (bytes, b"ab"), (bytearray, bytearray(b"ab"))],
        *[(list, [1, "a"]), (tuple, (1, 2)), (set, {1}), (frozenset, frozenset([1])), (dict, {"a": 1})],
        *[(deque, deque([1])), (Decimal, Decimal("1.0"))],
    ],
    ids=lambda part: part.__name__ if isinstance(part, type) else "",
)
def test_a_subclass_is_carried_as_its_base_whatever_its_methods_say(kind, value):
    assert same(round_trip(hostile(kind)(value)), value)
    assert same(round_trip([hostile(kind)(value)]), [value])


def test_named_tuples_and_int_enums_are_plain():
    assert same(round_trip([Point(1, [2]), Colour.RED]), [(1, [2]), 1])


def test_shared_objects_arrive_as_separate_ones():
    row = [0]
    back = round_trip([row, row])
    assert back == [[0], [0]]
    assert back[0] is not back[1]


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_is_bounded_on_both_sides():
    deepest = nested(codec_form.MAX_DEPTH)
    assert round_trip(deepest) == deepest
    with pytest.raises(codec.EncodingError, match="nested in more than 200"):
        codec.encode([deepest])
    for opening in (b"l\x01\x00\x00\x00", b"r", b"v", b"o" + bytes(9), b"t\x01\x00\x00\x00", b"m\x01\x00\x00\x00"):
        with pytest.raises(codec.DecodingError):
            codec.decode(opening * 100_000)


@pytest.mark.parametrize("kind", [list, dict])
def test_a_value_in_itself_is_refused(kind):
    value = kind()
    value.append(value) if kind is list else value.update(a=value)
    with pytest.raises(codec.EncodingError, match="in itself"):
        codec.encode(value)


def test_the_number_of_items_is_bounded(monkeypatch):
    monkeypatch.setattr("codec_writer.MAX_ITEMS", 10)
    codec.encode([None] * 10)
    with pytest.raises(codec.EncodingError, match="more than 10 items"):
        codec.encode([[None] * 6, [None] * 6])
    data = codec.encode([None] * 10)
    monkeypatch.setattr("codec_reader.MAX_ITEMS", 9)
    with pytest.raises(codec.DecodingError, match="too large"):
        codec.decode(data)


@pytest.mark.parametrize("value", [object(), len, lambda: 0, iter([]), np.array([object()]), type, ValueError("a")])
def test_what_has_no_contents_needs_someone_who_keeps_it(value):
    with pytest.raises(codec.EncodingError, match="an object of type"):
        codec.encode([value])
    token = codec.Token(-3, 5, "thing", "<thing>")
    data = codec.encode([value, value], lambda kept: token if kept is value else None)
    assert codec.decode(data, lambda read: ("made", *read)) == [("made", *token)] * 2
    with pytest.raises(codec.DecodingError, match="an object of type thing"):
        codec.decode(data)


FORGED = [
    b"",
    b"?",
    b"i\x00",
    b"NN",
    b"l\xff\xff\xff\xff",
    b"L\xff\xff\xff\xff",
    b"s\xff\xff\xff\xffab",
    b"s\x01\x00\x00\x00\xff",
    b"h\x01\x00\x00\x00l\x00\x00\x00\x00",
    b"m\x01\x00\x00\x00aN",
    b"r" + codec.encode((1, 2, 0)),
    b"r" + codec.encode(("a",)),
    b"R" + codec.encode((1, 0)),
    # Read as text this would be a number of a billion digits.
    b"R" + codec.encode(("1e999999999",)),
    b"E" + codec.encode(("x",)),
    b"E" + codec.encode((0.5,)),
    b"e" + codec.encode(("date", 2023, 2, 29)),
    b"e" + codec.encode(("eval", "1")),
    b"e" + codec.encode(()),
    b"v" + codec.encode((1,)),
    b"A" + codec.encode(("O", (1,), b"12345678")),
    b"A" + codec.encode(("|O", (1,), b"12345678")),
    b"A" + codec.encode(("<i8", (2,), b"12345678")),
    b"A" + codec.encode(("<i8", ("a",), b"12345678")),
    b"A" + codec.encode(("<U1", (1,), b"\xff\xff\xff\x7f")),
    b"A" + codec.encode(("<i8,<i8", (1,), b"12345678" * 2)),
    b"A" + codec.encode(("<i3", (1,), b"123")),
    b"A" + codec.encode(1),
]


@pytest.mark.parametrize("data", FORGED, ids=repr)
def test_forged_bytes_are_refused(data):
    with pytest.raises(codec.DecodingError):
        codec.decode(data)


def test_any_bytes_are_a_value_or_refused():
    generator = random.Random(0)
    letters = b"NTFidcIsbatlhzqLDmCOkpvrREeAuo\x00\x01\x02\xff"
    originals = [
        codec.encode(v) for v in ([1, "a", {2: (None,)}], {Fraction(1, 2): deque([1.5])}, np.arange(4), date.max)
    ]
    num_refused = 0
    for attempt in range(10_000):
        if attempt % 2:
            data = bytes(generator.choices(letters, k=generator.randrange(40)))
        else:
            data = bytearray(generator.choice(originals))
            for _ in range(generator.randrange(1, 4)):
                data[generator.randrange(len(data))] = generator.choice(letters)
            data = bytes(data[: generator.randrange(1, len(data) + 1)])
        try:
            codec.decode(data, lambda token: token)
        except codec.DecodingError:
            num_refused += 1
    assert 5_000 < num_refused < 10_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(3), "3"),
        ([np.float64(0.5), np.bool_(True), np.array([[1, 2], [3, 4]])], "[0.5, true, [[1, 2], [3, 4]]]"),
        ((1, (2, [3])), "[1, [2, [3]]]"),
        ([math.nan, math.inf, -math.inf, -0.0], "[NaN, Infinity, -Infinity, -0.0]"),
        (
            {1: "a", "b": None, None: True, 1.5: 0, False: 1},
            '{"1": "a", "b": null, "null": true, "1.5": 0, "false": 1}',
        ),
        ({np.int64(1): 2}, '{"1": 2}'),
        ("\ud800", '"\\ud800"'),
        (2**70, str(2**70)),
        ([hostile(list)([1]), hostile(dict)(a=1), hostile(int)(5), hostile(str)("s")], '[[1], {"a": 1}, 5, "s"]'),
        ([hostile(float)(0.5), Point(1, 2), Colour.RED, True], "[0.5, [1, 2], 1, true]"),
    ],
    ids=lambda part: part if type(part) is str and part.isascii() else "",
)
def test_values_are_written_as_json_by_value(value, text):
    assert plain_json.to_json(value) == text


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *[({1}, "set"), ([frozenset()], "frozenset"), (b"a", "bytes"), (1j, "complex"), (map(abs, []), "map")],
        *[
            (len, "builtin_function_or_method"),
            (np.complex128(1j), "complex"),
            ({(1, 2): 3}, "tuple"),
            (object(), "object"),
        ],
        (np.array([object()]), "object"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_json_has_no_value_for_is_named(value, name):
    with pytest.raises(TypeError, match=f"of type {name} cannot be written as JSON"):
        plain_json.to_json(value)


def test_json_is_neither_endless_nor_ambiguous():
    value = []
    value.append(value)
    for bad in (value, nested(300), {1: 0, "1": 0}):
        with pytest.raises(ValueError, match="nested in more than|same text"):
            plain_json.to_json(bad)
    assert json.loads(plain_json.to_json(nested(200))) == nested(200)
