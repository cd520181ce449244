# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Are two LaTeX expressions the same? math-verify reads them, and their values at fixed points decide.

math-verify limits its own time by signals, which verl's threads do not get. So its limits are off, and what could take
long never reaches it: lengths, nesting, exponents and commands are bounded here, and expressions are evaluated with
numbers instead of being simplified. Equations, inequalities and matrices go through its own comparison, if short.
"""

import functools
import importlib.util
import logging
import re
import threading
from typing import Any

_MAX_CHARS = 200
# Equations are solved, which takes more than values do.
_MAX_COMPARED_CHARS = 120
_MAX_COMPARED_POWER = 12
_MAX_COMPARED_DIGITS = 16
_MAX_COMPARED_FUNCTIONS = 2
_MAX_DEPTH = 8
_MAX_ROOTS = 8
_MAX_DIGITS = 40
_MAX_FACTORIALS = 2
# Of all exponents multiplied, which bounds powers of powers: with variables, and with numbers alone.
_MAX_POWER = {True: 200, False: 20_000}
# Digits of the largest number that powers can make: of plain arithmetic; with functions, which need all of them (a root
# looks for factors, a sine divides by as many digits of pi); and within an exponential.
_MAX_NUMBER_DIGITS, _MAX_FUNCTION_DIGITS, _MAX_EXPONENTIAL_DIGITS = 20_000, 1_000, 40
# No factorial or binomial coefficient that is let through has more.
_FACTORIAL_DIGITS = 300
# Above every value that a letter gets, and above pi.
_MAX_LETTER = 4
_MAX_VARIABLES = 6
_SYMBOLS = frozenset("pi theta alpha beta gamma lambda mu phi omega sigma rho epsilon".split())
# The exponential of an exponential has more digits than there is memory.
_EXPONENTIALS = frozenset("exp sinh cosh tanh".split())
# What needs all digits before the point, also those of an exponential.
_WHOLE = frozenset("sin cos tan cot sec csc lfloor lceil".split())
# Solving for what is in a logarithm or an arc takes too long.
_SOLVED_FUNCTIONS = frozenset("sqrt sin cos tan".split())
_FUNCTIONS = _WHOLE | frozenset("sqrt arcsin arccos arctan log ln lg".split())
_COMMANDS = (
    frozenset(
        "frac sqrt infty cdot times div pm mp le ge lt gt ne sin cos tan cot sec csc arcsin arccos arctan log ln lg "
        "binom begin end cup cap in mathbb emptyset lfloor rfloor lceil rceil overline bar to mid vert lvert "
        "rvert".split()
    )
    | _SYMBOLS
    | _EXPONENTIALS
)
_PLAIN_WORDS = frozenset("sqrt sin cos tan log".split())
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_EXPONENT = re.compile(r"\^\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\([^()]*\)|\\[A-Za-z]+|-?\d+|[A-Za-z])")
_INTEGER = re.compile(r"\d+")
_DECIMAL = re.compile(r"(\d*)\.(\d+)|(\d+)")
_LETTER = re.compile(r"\\(?!frac|cdot|times|div|sqrt|pm|mp)[A-Za-z]+|(?<![A-Za-z\\])[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]+")
_FACTORIAL = re.compile(r"(?<!\d)\d{1,2}\s*!|\\binom\s*\{\d{1,3}\}\s*\{\d{1,3}\}")
# Bases of numerals (10_2 is not 10), numbers side by side, and what no answer has.
_REFUSED = re.compile(r"\d\s*_|(?<!_)\d\s+\d|[^\x20-\x7e\n]|\*\s*\*|[;@#?\"'`~]")
_MATRIX = re.compile(r"\\(?:begin|end)\s*\{[pbvBV]?matrix\}")
_LONG_DECIMAL = re.compile(r"-?\d*\.(\d{6,30})")
_DIGITS = 30
# Far less than any value, far more than what is left of a zero after rounding.
_ZERO = 1e-60
_POINTS = ("0.7390851332151607", "-1.3247179572447460", "2.6854520010653064")
# math-verify's parser keeps tables that all calls share and change.
_LOCK = threading.Lock()


@functools.lru_cache(maxsize=4096)
def are_equal_expressions(right: str, answer: str) -> bool:
    """Whether two LaTeX texts are the same expression; False also where one cannot be read within the bounds."""
    if not (_is_bounded(right) and _is_bounded(answer)) or not _is_installed():
        return False
    # math-verify takes x and X for one variable.
    if _capitals(right) != _capitals(answer):
        return False
    with _LOCK:
        try:
            return _compare(right, answer)
        # The answer is the model's: whatever the parser makes of it, it is then not the right one.
        except Exception:
            return False


def _is_installed() -> bool:
    return importlib.util.find_spec("math_verify") is not None


def _is_bounded(text: str) -> bool:
    """Whether a text is an expression that is cheap to read and to evaluate."""
    if not text or len(text) > _MAX_CHARS or _REFUSED.search(text) or _depth(text) > _MAX_DEPTH:
        return False
    commands = _COMMAND.findall(text)
    if not set(commands) <= _COMMANDS or commands.count("sqrt") > _MAX_ROOTS:
        return False
    words = _WORD.findall(_COMMAND.sub(" ", _MATRIX.sub("", text)))
    if any(len(word) > 2 and word not in _PLAIN_WORDS for word in words):
        return False
    if any(len(digits) > _MAX_DIGITS for digits in _INTEGER.findall(text)):
        return False
    factorials = text.count("!") + text.count("\\binom")
    if factorials > _MAX_FACTORIALS or factorials != len(_FACTORIAL.findall(text)):
        return False
    if sum(command in _EXPONENTIALS for command in commands) > 1:
        return False
    has_variables = bool(set("".join(words)) - {"e", "i"}) or bool(_SYMBOLS & set(commands) - {"pi"})
    power = _power(text)
    return power <= _MAX_POWER[has_variables] and _are_numbers_short(text, {*commands, *words}, power, factorials)


def _are_numbers_short(text: str, names: set[str], power: float, factorials: int) -> bool:
    """Whether no number of a text gets so long that a function of it takes long.

    Args:
        text: what ``_power`` has a bound for.
        names: commands and words in it.
        power: that bound.
        factorials: factorials and binomial coefficients in it.
    """
    exponents = [match.group(1) for match in _EXPONENT.finditer(text)]
    letters = sum(_num_letters(exponent) for exponent in exponents)
    bases = _INTEGER.findall(_EXPONENT.sub(" ", text))
    longest = max([len(digits) for digits in bases] + [_FACTORIAL_DIGITS] * bool(factorials), default=1)
    num_digits = longest * power * _MAX_LETTER**letters
    if names & _EXPONENTIALS:
        return num_digits <= _MAX_EXPONENTIAL_DIGITS and not names & _WHOLE
    has_function = bool(names & _FUNCTIONS) or any("/" in exponent or "frac" in exponent for exponent in exponents)
    return num_digits <= (_MAX_FUNCTION_DIGITS if has_function else _MAX_NUMBER_DIGITS)


def _num_letters(exponent: str) -> int:
    return sum(1 if name[0] == "\\" else len(name) for name in _LETTER.findall(exponent))


def _capitals(text: str) -> set[str]:
    return {letter for letter in _COMMAND.sub("", _MATRIX.sub("", text)) if letter.isupper()}


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "({[") - (character in ")}]")
        deepest = max(deepest, depth)
    return deepest


def _power(text: str) -> float:
    """A bound on the exponents of a text multiplied; infinite where one is no plain one."""
    product = 1.0
    exponents = list(_EXPONENT.finditer(text))
    if text.count("^") != len(exponents):
        return float("inf")
    for match in exponents:
        exponent = match.group(1)
        commands = set(_COMMAND.findall(exponent))
        is_tower = "^" in exponent or text[match.end() :].lstrip()[:1] in ("^", "!")
        is_hidden = exponent[0] == "\\" and not commands <= _SYMBOLS
        if is_tower or is_hidden or "!" in exponent or commands & (_EXPONENTIALS | {"binom"}):
            return float("inf")
        for whole, places, integer in _DECIMAL.findall(exponent):
            # What is divided by a small decimal is large.
            product *= max(1, int(integer)) if integer else (int(whole or 0) + 1) * 10.0 ** len(places)
    return product


def _read(text: str) -> Any:
    """The expression that a text is; None where there is none."""
    from math_verify import LatexExtractionConfig, parse

    # It warns that its limits are off, which here they are meant to be.
    logging.getLogger("math_verify.parser").setLevel(logging.ERROR)
    logging.getLogger("math_verify.grader").setLevel(logging.ERROR)
    found = parse(
        f"${text}$",
        [LatexExtractionConfig()],
        fallback_mode="no_fallback",
        extraction_mode="first_match",
        parsing_timeout=None,
    )
    return found[0] if found else None


def _compare(right: str, answer: str) -> bool:
    from math_verify import verify
    from sympy import Expr

    first, second = _read(right), _read(answer)
    if first is None or second is None:
        return False
    if isinstance(first, Expr) and isinstance(second, Expr):
        return _have_equal_values(first, second, min(_tolerance(right), _tolerance(answer)))
    if isinstance(first, Expr) != isinstance(second, Expr) or len(right) + len(answer) > _MAX_COMPARED_CHARS:
        return False
    if not (_is_simple(right) and _is_simple(answer)):
        return False
    return bool(verify(first, second, timeout_seconds=None))


def _is_simple(text: str) -> bool:
    """Whether an equation, an inequality or a matrix is one that is cheap to solve."""
    functions = [name for name in _COMMAND.findall(text) if name in _FUNCTIONS | _EXPONENTIALS]
    if "!" in text or "\\binom" in text or len(functions) > _MAX_COMPARED_FUNCTIONS:
        return False
    power = _power(text)
    longest = max(map(len, _INTEGER.findall(_EXPONENT.sub(" ", text))), default=1)
    is_short = power <= _MAX_COMPARED_POWER and longest * power <= _MAX_COMPARED_DIGITS
    return is_short and set(functions) <= _SOLVED_FUNCTIONS


def _tolerance(text: str) -> float:
    """How far a decimal may be from what it is rounded from; 1.0 for what is none, 1e-6 for six places."""
    match = _LONG_DECIMAL.fullmatch(text)
    return 10.0 ** -len(match.group(1)) if match else 1.0


def _have_equal_values(right: Any, answer: Any, tolerance: float) -> bool:
    """Whether two expressions have the same values at three points; different ones do not, but by chance."""
    symbols = sorted(right.free_symbols | answer.free_symbols, key=lambda symbol: symbol.name)
    if len(symbols) > _MAX_VARIABLES:
        return False
    return all(_are_close(*_values(right, answer, symbols, point), tolerance) for point in _POINTS)


def _values(right: Any, answer: Any, symbols: list[Any], point: str) -> tuple[Any, Any]:
    from sympy import Float, I

    # Each variable another number, irregular enough that nothing cancels by itself; i is the imaginary unit.
    places = {
        symbol: I if symbol.name == "i" else Float(point, _DIGITS) * (10 + number) / 11
        for number, symbol in enumerate(symbols)
    }
    return tuple(_value(side.subs(places).doit()) for side in (right, answer))


def _value(exact: Any) -> Any:
    # Of fractions all digits count: 2^{100} is not 2^{100}+1.
    return exact if exact.is_Rational else exact.evalf(_DIGITS)


def _are_close(right: Any, answer: Any, tolerance: float) -> bool:
    if not (right.is_number and answer.is_number and right.is_finite and answer.is_finite):
        return bool(right == answer)
    if right.is_Rational and answer.is_Rational and tolerance == 1.0:
        return bool(right == answer)
    size = max(abs(right), abs(answer))
    allowed = max(float(size * 10.0**-20), _ZERO) if tolerance == 1.0 else tolerance
    return bool(abs(right - answer) <= allowed)
