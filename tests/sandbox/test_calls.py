# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tests against programs, each side in the process that it has in the sandbox, without the sandbox around it."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.sandbox.inside_modules import INSIDE, codec, tester, write_back

# The program's side; it knows the number of the connection's descriptor, as an attacker could find it out.
PROGRAM_SIDE = f"""
import sys
sys.path.append({str(INSIDE)!r})
import calls
setup, program = eval(sys.stdin.read())
names, failure, connection = {{"__name__": "solution", "CONNECTION": int(sys.argv[1])}}, None, int(sys.argv[1])
try:
    exec(setup, names)
    exec(compile(program, "solution.py", "exec"), names)
except BaseException as error:
    failure = error
calls.serve(names, connection, connection, failure)
"""
TESTER_SIDE = f"""
import sys
sys.path.append({str(INSIDE)!r})
import tester
tests, setup, function, connection, result, seconds = eval(sys.stdin.read())
tester.report_tests(tests, setup, function, connection, connection, result, seconds)
"""
EVALPLUS = """
import numpy as np

def is_floats(x) -> bool:
    return isinstance(x, float) or isinstance(x, (list, tuple)) and all(isinstance(i, float) for i in x)

def assertion(out, exp, atol):
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if out != exp and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert out == exp, f"out: {out}, exp: {exp}"

def check(candidate):
    inputs = INPUTS
    results = RESULTS
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)

check(f)
"""


@contextmanager
def served(program, setup=""):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM_SIDE, str(theirs.fileno())],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            text=True,
        )
        theirs.close()
        try:
            process.stdin.write(repr((setup, program)))
            process.stdin.close()
            yield ours.fileno()
        finally:
            process.kill()
            process.wait()


def judged(program, tests, function="f", setup="", seconds=20.0):
    with served(program, setup) as connection:
        return tester.run_tests(tests, setup, function, connection, connection, seconds)


def evalplus(inputs, results):
    return EVALPLUS.replace("INPUTS", repr(inputs)).replace("RESULTS", repr(results))


def passes(program, tests, **options):
    record = judged(program, tests, **options)
    assert record["outcome"] in ("passed", "failed"), record
    return record["outcome"] == "passed"


POLY = """
import math

def poly(xs: list, x: float):
    return sum([coeff * math.pow(x, i) for i, coeff in enumerate(xs)])
"""
POLY_TEST = """
def _poly(*args, **kwargs):
    return poly(*args, **kwargs)

def check(candidate):
    for inp in [[[1, 2]], [[-6, 11, -6, 1]]]:
        assert abs(_poly(*inp, candidate(*inp))) < 1e-4

check(f)
"""
ROOT = """
def f(xs):
    low, high = -1000.0, 1000.0
    for _ in range(200):
        middle = (low + high) / 2
        if poly(xs, middle) * poly(xs, low) <= 0: high = middle
        else: low = middle
    return low
"""


@pytest.mark.parametrize(
    ("program", "tests"),
    [
        ("def f(x): return x + 1", "assert f(1) == 2\nassert f(x=-1) == 0"),
        ("def f(x): return x / 3", evalplus([[1], [2.0]], [1 / 3, 2 / 3 + 1e-9])),
        ("def f(x): return [x, (x,), {x}]", evalplus([[1], ["a"]], [[1, (1,), {1}], ["a", ("a",), {"a"}]])),
        ("class Solution:\n    def f(self, x): return x * 2", "assert f('a') == 'aa'"),
        ("def f(x):\n    x.sort()", "a = [3, 1]\nassert f(a) is None\nassert a == [1, 3]"),
        ("def f(x):\n    x['a'][0].add(1)", "inner = set()\na = {'a': (inner,)}\nf(a)\nassert inner == {1}"),
        ("def f(x, *, y):\n    x += y", "a = b = [1]\nf(a, y=[2])\nassert b == [1, 2]"),
        ("def f(x):\n    x.append(1)\n    raise ValueError(x)", "a = []\ntry: f(a)\nexcept ValueError: assert a"),
        ("def f(x): raise KeyError(x)", "try: f('a')\nexcept KeyError as e: assert e.args == ('a',)\nelse: assert 0"),
        ("class E(ValueError): pass\ndef f(): raise E(1)", "try: f(); assert False\nexcept ValueError: pass"),
        ("def f(): b'\\xff'.decode()", "try: f(); assert False\nexcept UnicodeDecodeError as e: assert e.start == 0"),
        ("import sys\ndef f(): sys.exit(3)", "try: f(); assert 0\nexcept SystemExit as e: assert e.code == 3"),
        ("def f(n): return lambda x: x + n", "assert f(2)(3) == 5\nassert callable(f(1))"),
        ("import re\ndef f(x): return re.match('a', x)", "assert f('ab')\nassert not f('b')\nassert f('b') is None"),
        ("def f(n): return (i * i for i in range(n))", "assert list(f(3000)) == [i * i for i in range(3000)]"),
        ("def f(x): return map(str, x)", "g = f([1, 2])\nassert next(g) == '1'\nassert list(g) == ['2']"),
        ("def f():\n    yield 1\n    raise ValueError", "g = f()\nnext(g)\ntry: next(g)\nexcept ValueError: pass"),
        ("from collections import *\ndef f(x): return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
        ("class L(list): pass\ndef f(x): return L(x)", "assert f('ab') == ['a', 'b'] and type(f('')) is list"),
        ("class P:\n    def __init__(p, a): p.a = a\ndef f(ps): return [p.a for p in ps]", "assert f([P(1)]) == [1]"),
        ("import numpy\ndef f(x): return numpy.int64(x)", "assert f(3) == 3"),
        ("import numpy\ndef f(x):\n    x += 1", "import numpy\na = numpy.zeros(2)\nf(a)\nassert a.tolist() == [1, 1]"),
        ("def f(n): return list(range(n))", "assert len(f(10**6)) == 10**6"),
        ("def f(): print('{}', flush=True)", "assert f() is None"),
        # The name of a built-in function, which the tests do not call for themselves.
        ("def sum(x, y): return x + y", "assert sum(1, 2) == 3"),
    ],
)  # fmt: skip
def test_a_right_program_passes(program, tests):
    function = "sum" if "def sum" in program else "f"
    record = judged(program, tests, function)
    assert record == dict.fromkeys(record) | {"outcome": "passed"}


def test_helpers_of_the_setup_are_the_datasets_own():
    assert passes(ROOT, POLY_TEST, setup=POLY)
    assert not passes("def poly(xs, x): return 0.0\ndef f(xs): return 5.0", POLY_TEST, setup=POLY)


LOOP = "for x, y in zip([1, 2], [2, 3]):\n    assert len([x]) == 1\n    assert f(x) == y"
YES = "class Yes:\n    def __eq__(s, o): return True\n    __ne__ = lambda s, o: False\n    __hash__ = None\n"
FORGE = f"""
import sys, os, time
sys.path.append({str(INSIDE)!r})
import codec

def send(*values):
    data = b"".join(map(codec.encode, values))
    os.write(CONNECTION, len(data).to_bytes(4, "little") + data)

"""


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        (YES + "def f(x): return Yes()", "assertion"),
        (YES + "class I(int, Yes): __eq__ = Yes.__eq__; __hash__ = int.__hash__\ndef f(x): return I(9)", "assertion"),
        (YES + "class L(list, Yes): pass\ndef f(x): return L()", "assertion"),
        ("def zip(*a): return []\ndef enumerate(*a): return []\ndef len(x): return 1\ndef f(x): return 0", "assertion"),
        ("import builtins\nbuiltins.zip = builtins.len = lambda *a: []\ndef f(x): return 0", None),
        ("class AssertionError(Exception): pass\ndef f(x): return 0", "assertion"),
        ("def check(f): pass\ndef f(x): raise AssertionError", "exception"),
        ("import sys\nsys.exit(0)", "exception"),
        ("import os\nos._exit(0)", "gone"),
        ("import sys\ndef f(x): sys.exit(0)", "exception"),
        ("import os\ndef f(x): os._exit(0)", "gone"),
        ("def f(x): raise KeyboardInterrupt", "exception"),
        ("def f(x): raise GeneratorExit", "exception"),
        ("def f(x): raise StopIteration", "exception"),
        ("def f(x): return f(x)", "exception"),
        ("def g(x): return x", "exception"),
        ("def f(:", "exception"),
        ("def f(): return 1", "exception"),
        ("def f(x):\n    a = []\n    a.append(a)\n    return a", "uncarried"),
        ("def f(x): return b'x' * (65 * 2**20)", "uncarried"),
        ("def f(x): return 'x' * 10**7", "assertion"),
        ("def f(x):\n    global a\n    a = [[]]\n    for _ in range(30): a = [a, a]\n    return a", "uncarried"),
        # The answer is right, but a second one follows it, or it answers what was not asked.
        (FORGE + "def f(x):\n    send(2, 'value', (), x + 1)\n    time.sleep(0.1)\n    return 0", "protocol"),
        (FORGE + "def f(x): send(3, 'value', (), x + 1)", "protocol"),
        (FORGE + "def f(x): send(True, 'value', (), x + 1)", "protocol"),
        (FORGE + "def f(x): send(2, 'passed', (), x + 1)", "protocol"),
        (FORGE + "def f(x): send(2, 'value', (5,), 1, x + 1)", "protocol"),
        (FORGE + "def f(x): send(2, 'error', (), ('E', [b'x'], 1, ''))", "protocol"),
        (FORGE + "def f(x): send(2, 'error', (), ('E', ['print', 'zip', 'exit'], (), ''))", None),
        (FORGE + "send(1, 'value', (), ['f', 'zip', 'len', 'AssertionError'])\ndef f(x): return 0", None),
        (FORGE + "send(1, 'value', (), 5)\ntime.sleep(9)", "protocol"),
        (FORGE + "def f(x): os.write(CONNECTION, b'\\xff' * 4)", "protocol"),
        (FORGE + "def f(x): os.write(CONNECTION, b'\\x05\\0\\0\\0junk!')", "protocol"),
        (FORGE + "def f(x): os.close(CONNECTION)", "gone"),
    ],
)
def test_an_attack_or_a_fault_fails(program, kind):
    record = judged(program, LOOP)
    assert record["outcome"] == "failed"
    assert kind in (None, record["kind"])


@pytest.mark.parametrize("program", ["def f(x): return []", "def f(x): return ''", "def f(x): return {}"])
def test_nothing_is_close_to_something(program):
    import numpy

    before = numpy.allclose
    assert not passes(program, evalplus([[1]], [2.0]))
    assert not passes(program, "import numpy\nassert numpy.isclose(f(1), 2.0).all()")
    assert numpy.allclose is before
    assert passes("def f(x): return []", "import numpy\nassert numpy.allclose(f(1), [])")


def test_what_a_test_catches_still_fails_where_the_program_is_gone():
    tests = "try:\n    f()\nexcept BaseException:\n    pass"
    assert judged("import os\ndef f(): os._exit(0)", tests)["kind"] == "gone"
    assert passes("def f(): raise SystemExit", tests)


@pytest.mark.parametrize("half", [b"", b"\x09", b"\x09\x00\x00\x00half"])
def test_a_program_that_does_not_answer_is_waited_for_until_the_deadline(half):
    start = time.monotonic()
    program = f"import os, time\ndef f(x):\n    os.write(CONNECTION, {half!r})\n    time.sleep(60)"
    assert judged(program, LOOP, seconds=1.0)["kind"] == "time_limit"
    assert 0.9 < time.monotonic() - start < 5.0


def test_a_program_that_does_not_read_is_waited_for_until_the_deadline():
    record = judged("import time\ntime.sleep(60)", "f('x' * 10**7)", seconds=1.0)
    assert record["kind"] == "time_limit"


def test_an_iterator_without_end_is_not_followed_for_ever():
    record = judged("import itertools\ndef f(): return itertools.count()", "assert 'x' in f()")
    assert record["kind"] == "uncarried"
    assert "more than 1,000,000 items" in record["message"]


@pytest.mark.parametrize(
    "tests",
    ["assert undefined == f(1)", "assert 1 == 2", "assert f(", "import nothing_of_this_name", "1 / 0", "f(lambda: 0)"],
)
def test_faulty_tests_are_told_from_faulty_programs(tests):
    record = judged("def f(x): return x", tests)
    if "undefined" in tests:  # the program was expected to define it
        assert record["kind"] == "exception"
    elif tests.startswith("f("):
        assert record["outcome"] == "test_error"
        assert "type function cannot be passed" in record["message"]
    else:
        assert (record["outcome"], record["kind"]) == ("test_error", None)
    assert judged("def f(x): return x", "assert f(1) == 1", setup="1 / 0")["outcome"] == "test_error"


def test_what_failed_is_told():
    line = "assert candidate([n], k='a') == [n] * n, (\n            'no'\n        )"
    tests = f"def check(candidate):\n    for n in (1, 2):\n        {line}\ncheck(f)"
    record = judged("def f(x, k):\n    x.append(k)\n    return x[:1]", tests)
    assert record["kind"] == "assertion"
    assert record["line"] == line
    assert (record["actual"], record["operator"], record["expected"]) == ("[2]", "==", "[2, 2]")
    assert (record["call"], record["message"]) == ("f([2], k='a')", "no")


@pytest.mark.parametrize(
    ("tests", "sides"),
    [
        ("assert 5 == f(1)", ("1", "==", "5")),
        ("x = 5\ny = f(1)\nassert x < y", ("1", "<", "5")),
        ("assert f(0)", ("0", None, None)),
        ("assert not f(2)", ("2", None, None)),
        ("assert f(3) is None", ("3", "is", "None")),
        ("import math\nassert math.isclose(2.5, f(1.5))", ("1.5", "is close to", "2.5")),
        ("assert f(1) and f(0)", (None, None, None)),
        ("assert 1 < f(1) < 3", (None, None, None)),
        ("assert f('x' * 9999) == ''", None),
    ],
)
def test_the_two_sides_of_a_failed_assert_are_told(tests, sides):
    record = judged("def f(x): return x", tests)
    assert record["kind"] == "assertion"
    if sides is None:
        assert len(record["actual"]) <= 500
        assert "more characters" in record["actual"]
    else:
        assert (record["actual"], record["operator"], record["expected"]) == sides


def test_the_programs_traceback_has_its_own_lines_only():
    record = judged("def g(x):\n    return 1 // x\n\ndef f(x):\n    return g(x)", "f(0)")
    assert record["kind"] == "exception"
    assert record["message"] == "ZeroDivisionError: integer division or modulo by zero"
    assert record["traceback"].splitlines() == [
        "Traceback (most recent call last):",
        '  File "solution.py", line 5, in f',
        '  File "solution.py", line 2, in g',
        "ZeroDivisionError: integer division or modulo by zero",
    ]
    loading = judged("x = 1\nx.y", "f(0)")
    assert loading["traceback"].splitlines()[1:] == [
        '  File "solution.py", line 2, in <module>',
        "AttributeError: 'int' object has no attribute 'y'",
    ]
    assert len(judged("def f(x): raise ValueError('x' * 10**6)", "f(0)")["traceback"]) <= 4000


def test_a_value_that_the_tests_cannot_handle_is_the_programs_fault():
    record = judged("def f(x): return None", "assert f(1) + 1 == 2")
    assert (record["outcome"], record["kind"]) == ("failed", "value")
    assert record["message"].startswith("TypeError: unsupported operand")


def test_objects_of_the_program_judge_nothing():
    methods = "    def __getattr__(self, name): return lambda *a: True\n    def __repr__(self): return 'A'\n"
    liar = f"class A:\n{methods}def f(): return A()"
    assert not passes(liar, "assert f().startswith('x')")
    assert not passes(liar, "assert f() == 'A'")
    assert not passes(liar, "assert f() in [1, 2]")
    assert passes(liar, "a = f()\nassert a == a and a != f()")


def test_expected_values_do_not_reach_the_program():
    seen = "import gc\ndef f(x): return [o for o in gc.get_objects() if o == ['expected', 1]]"
    assert passes(seen, "assert not f(['other', 1])\nassert ['expected', 1]")


def test_each_side_in_its_own_process():
    result, write_end = os.pipe()
    with served("def f(x): return -x") as connection:
        for tests, outcome in (("assert f(1) == -1", "passed"), ("assert f(1) == 1", "failed")):
            arguments = repr((tests, "", "f", connection, write_end, 20.0))
            command = [sys.executable, "-I", "-c", TESTER_SIDE]
            subprocess.run(command, input=arguments, text=True, pass_fds=[connection, write_end], check=True)
            assert json.loads(os.read(result, 2**16))["outcome"] == outcome
    os.close(result)
    os.close(write_end)


def test_changes_are_made_in_place():
    inner = [1]
    old = {"a": inner, "b": bytearray(b"x"), "gone": 0}
    assert write_back.write_back(old, {"a": [1, 2], "b": bytearray(b"yz"), "c": 3}) is old
    assert old == {"a": [1, 2], "b": bytearray(b"yz"), "c": 3}
    assert old["a"] is inner


def test_a_call_costs_little():
    num_calls = 5000
    with served("def f(x, y): return [x, y]") as connection:
        start = time.monotonic()
        tests = f"for i in range({num_calls}):\n    assert f(i, 'a') == [i, 'a']"
        assert tester.run_tests(tests, "", "f", connection, connection, 60.0)["outcome"] == "passed"
        # Ten times what it takes where nobody else computes.
        assert time.monotonic() - start < num_calls * 1e-3


def test_requests_are_plain_data():
    assert codec.decode(codec.encode((1, "call", "f", 1, (), [1]))) == (1, "call", "f", 1, (), [1])
