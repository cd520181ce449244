# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
import json
import time

import pytest

from verl_sdpo.rewards.code_compare import MAX_DEPTH, MAX_NUMBER_CHARS, first_difference, same_output, same_value

SAME = [
    ("3", "3"),
    ("3\n", "3"),
    ("3", "3\n\n"),
    ("3  \t\n\n \n", "3"),
    ("1 2\r\n3\r\n", "1 2\n3"),
    ("a b \nc", "a b\nc"),
    ("", ""),
    ("\n \n", ""),
    ("-", "-"),
    ("a-", "a-"),
    ("0.50", "0.5"),
    ("5e-1", "0.5"),
    ("1E3", "1000"),
    ("+3", "3"),
    ("007", "7"),
    (".5 5.", "0.5 5"),
    ("1  2", "1 2"),
    (" 3", "3"),
    ("-0.0", "0"),
    ("nan", "NaN"),
    ("-nan", "nan"),
    ("inf", "Infinity"),
    ("-INF", "-inf"),
    ("1 nan", "1.0 NaN"),
    ("\nx", "\nx"),
    ("Ünïcode \N{SNOWMAN}", "Ünïcode \N{SNOWMAN}"),
    ("1e999999999", "1e999999999"),
    ("10e999999998", "1e999999999"),
    ("0e999999999", "0"),
    ("1" * 20_000, "1" * 20_000),
    ("100000000000000000000000000000000000000001", "100000000000000000000000000000000000000001.0"),
]
DIFFERENT = [
    ("4", "3"),
    ("1 2", "1\n2"),
    ("1\n2", "1 2"),
    ("", "0"),
    ("0", ""),
    ("1\n\n2", "1\n2"),
    ("\n1", "1"),
    ("1\n2\n3", "1\n2"),
    ("1\n2", "1\n2\n3"),
    ("yes", "Yes"),
    ("a  b", "a b"),
    (" a", "a"),
    ("a", "a-"),
    ("x 0.50", "x 0.5"),
    ("0.5000001", "0.5"),
    ("1_000", "1000"),
    ("\N{ARABIC-INDIC DIGIT THREE}", "3"),
    ("0x10", "16"),
    ("True", "1"),
    ("nan", "0"),
    ("nan", "inf"),
    ("inf", "-inf"),
    ("inf", "1e999999999"),
    ("snan", "nan"),
    ("1e999999999", "1"),
    ("1e-999999999", "0"),
    ("1e9999999999999999999999", "1e9999999999999999999998"),
    ("1" * 20_000 + ".0", "1" * 20_000),
    ("100000000000000000000000000000000000000001", "100000000000000000000000000000000000000000"),
    ("1 2", "1 2 3"),
]


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(("actual", "expected"), SAME)
def test_the_same_output_counts(actual, expected, as_bytes):
    given = actual.encode() if as_bytes else actual
    assert same_output(given, expected)
    assert first_difference(given, expected) == ""
    assert same_output(expected, actual)


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(("actual", "expected"), DIFFERENT)
def test_another_output_does_not_count(actual, expected, as_bytes):
    given = actual.encode() if as_bytes else actual
    assert not same_output(given, expected)
    assert first_difference(given, expected)
    assert not same_output(expected, actual)


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3", b"\xed\xb3\xbf", b"\xff\xfe3\x00"])
def test_bytes_that_are_no_text_equal_nothing(raw):
    for expected in ("3", "\\xff", "\N{REPLACEMENT CHARACTER}", "\xff", raw.decode("latin-1"), ""):
        assert not same_output(raw, expected)
        assert not same_value(raw, json.dumps(expected))


@pytest.mark.parametrize(
    ("actual", "expected", "tolerance", "is_same"),
    [
        ("0.3333333", "0.333333333", 1e-6, True),
        ("0.33", "0.333333333", 1e-6, False),
        ("1000000.5", "1000000", 1e-6, True),
        ("1000002", "1000000", 1e-6, False),
        ("-0.0000001", "0", 1e-6, True),
        ("x 0.50001", "x 0.5", 1e-3, True),
        ("y 0.50001", "x 0.5", 1e-3, False),
        ("1.01\n2", "1\n2", 0.1, True),
        ("1.01 2", "1\n2", 0.1, False),
        ("nan", "1", 1e9, False),
        ("inf", "1", 1e9, False),
        ("inf", "-inf", 1e9, False),
        ("nan", "nan", 1e-6, True),
        ("1e999999999", "2e999999999", 1e-6, False),
        ("1.0000001e999999999", "1e999999999", 1e-6, True),
        ("1e999999999999999", "1", 1e-6, False),
        ("1e-999999999999999", "0", 1e-6, True),
        ("4", "3", 1, True),
    ],
)
def test_a_tolerance_is_absolute_or_relative_whichever_is_larger(actual, expected, tolerance, is_same):
    assert same_output(actual, expected, tolerance) is is_same


EQUAL = [
    ("1", "1"),
    ("6.0", "6"),
    ("6", "6.0"),
    ("-0.0", "0"),
    ("NaN", "NaN"),
    ("[NaN, Infinity, -Infinity]", "[NaN,Infinity,-Infinity]"),
    ("[1, [2, 3]]", "[1,[2,3]]"),
    ('{"a": 1, "b": [2]}', '{"b": [2.0], "a": 1}'),
    ('{"1": "x"}', '{"1": "x"}'),
    ("null", "null"),
    ("true", "true"),
    ('"\\u00e4"', '"ä"'),
    ('"\\ud83d\\ude00"', '"\N{GRINNING FACE}"'),
    ("1" * 5000, "1" * 5000),
    ("[]", " [ ] "),
    ("100000000000000000000000", "1e23"),
    ("0.1", "0.10"),
]
UNEQUAL = [
    ("true", "1"),
    ("1", "true"),
    ("false", "0"),
    ("0", "null"),
    ("[]", "{}"),
    ('"1"', "1"),
    ("[1]", "1"),
    ("[1, 2]", "[2, 1]"),
    ("[1]", "[1, 1]"),
    ("[1, 2]", "[1]"),
    ('{"a": 1}', '{"a": 1, "b": 2}'),
    ('{"a": 1, "a": 1}', '{"a": 1}'),
    ('{"a": [true]}', '{"a": [1]}'),
    ("NaN", "null"),
    ("NaN", "0"),
    ("0.30000000000000004", "0.3"),
    ("9007199254740993", "9007199254740992.0"),
    ("1" * 5000, "1" * 4999 + "2"),
    ("", "null"),
    ("[1", "[1]"),
    ("1 1", "1"),
    ('"a"', '"b"'),
    ("\ufeff1", "1"),
]


@pytest.mark.parametrize(("actual", "expected"), EQUAL)
def test_equal_json_values_count(actual, expected):
    assert same_value(actual, expected)
    assert same_value(actual.encode(), expected)
    assert same_value(expected, actual)


@pytest.mark.parametrize(("actual", "expected"), UNEQUAL)
def test_unequal_json_values_do_not(actual, expected):
    assert not same_value(actual, expected)
    assert not same_value(actual.encode("utf-8"), expected)


def test_numbers_in_values_may_be_off_by_a_given_tolerance():
    assert same_value('{"x": [0.30000000000000004, 5]}', '{"x": [0.3, 5.0000001]}', 1e-6)
    assert not same_value("[0.31]", "[0.3]", 1e-6)
    assert not same_value("true", "1", 10)
    assert not same_value("1" * 5000, "1", 1e-6)
    assert not same_value('"a"', '"b"', 1)


def nested(depth, opening="[", closing="]"):
    return opening * depth + closing * depth


def test_nesting_is_bounded_and_never_raises():
    assert same_value(nested(MAX_DEPTH), nested(MAX_DEPTH))
    assert not same_value(nested(MAX_DEPTH + 1), nested(MAX_DEPTH + 1))
    for depth in (900, 10_000, 500_000):
        assert not same_value(nested(depth), nested(3))
        assert not same_value("[" * depth, "[]")
        assert not same_value('{"a":' * depth + "1" + "}" * depth, '{"a": 1}')


HOSTILE = {
    "digits": ("1" * 10**6, "2" * 10**6),
    "exponent": ("1e999999999", "1e999999998"),
    "many exponents": ("1e999999999 " * 80_000, "1e999999998 " * 80_000),
    "numbers": ("7 " * 500_000, "7.0 " * 500_000),
    "lines": ("\n" * 10**6 + "x", "\n" * 10**6 + "y"),
    "white space": (" " * 10**6 + "x", " " * 10**6 + "y"),
    "long numbers": (" ".join(["9" * MAX_NUMBER_CHARS] * 100), " ".join(["9" * MAX_NUMBER_CHARS + ".0"] * 100)),
    "brackets": ("[" * 10**6, "]" * 10**6),
    "whole numbers": ("[" + ",".join(["1" * 4000] * 250) + "]", "[" + ",".join(["1" * 4000] * 249) + ",2]"),
    "lists": ("[" + "[]," * 300_000 + "[]]", "[" + "[]," * 300_000 + "1]"),
    "almost the same": ("x" * 10**6 + "y", "x" * 10**6 + "z"),
}


@pytest.mark.parametrize(("actual", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_a_megabyte_of_anything_takes_no_time(actual, expected):
    start = time.process_time()
    for tolerance in (None, 1e-9):
        same_output(actual, expected, tolerance)
        same_value(actual, expected, tolerance)
        assert len(first_difference(actual, expected, tolerance)) < 400
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("actual", "expected", "told"),
    [
        ("1\n2", "1\n3", "line 2: '2' instead of '3'"),
        ("abc", "abd", "line 1, character 3: 'c' instead of 'd'"),
        ("1", "1\n2", "line 2 is missing: expected '2'"),
        ("1\n2", "1", "line 2 is one too many: '2'"),
        ("", "1", "line 1 is missing: expected '1'"),
        ("ab", "abc", "line 1, character 3: nothing instead of 'c'"),
        ("x" * 100 + "y", "x" * 100 + "z" * 99, f"line 1, character 101: 'y' instead of '{'z' * 60}'..."),
    ],
)
def test_the_first_difference_is_told(actual, expected, told):
    assert first_difference(actual, expected) == told
