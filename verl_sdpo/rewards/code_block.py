# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which code of a response is run: the last complete fenced block of Python that is more than a fragment.

The rules, in order:

* What stands before the last ``</think>`` is not read.
* A block is opened by a line with three or more backticks or tildes, also indented, in a list or behind text where it
  names Python; it is closed by a line with nothing but as many of the same, or more. Fences inside a triple-quoted
  string belong to the string. A fence that names a language opens a block even where the one before was not closed.
* Blocks in other languages are never run. Blocks that name no language count where none names Python.
* The last complete block is run. One that is plainly a fragment is passed over while there is an earlier one that is
  not: a fragment does not define the function that will be called or, where a program is asked for, neither reads
  nor writes anything. So neither an example of use nor an afterthought replaces the answer.
"""

import re
from bisect import bisect_left
from typing import NamedTuple

# What people write after the fence for Python 3.
_PYTHON = frozenset({"python", "py", "python3", "py3"})
_LIST_MARK = r"(?:(?:[-*+]|[0-9]{1,4}[.)])[ \t]{1,8})?"
_FENCE = re.compile(rf"([ \t]*{_LIST_MARK})(?:<answer>[ \t]*)?(`{{3,}}|~{{3,}})([^\n]*)", re.IGNORECASE)
_LATE_FENCE = re.compile(r"(?<!`)(```)[ \t]*((?:python|py)3?)[ \t]*$", re.IGNORECASE)
_LANGUAGE = re.compile(r"[ \t]*[{.]{0,2}([^\s{}:,]*)")
_CLOSED_ANSWER = re.compile(r"[ \t]*</answer>[ \t]*$", re.IGNORECASE)
_TRIPLE = ('"""', "'''")
# Comments, and strings that end with their line; the triple quotes are first, since they begin like an empty string.
_LEXEME = re.compile(r"#[^\n]*|'''|\"\"\"|'(?:\\.|[^'\\\n])*'?|\"(?:\\.|[^\"\\\n])*\"?")
_STRING_END = {quote: re.compile(rf"\\.|({quote})", re.DOTALL) for quote in _TRIPLE}
_READS_OR_WRITES = re.compile(r"\b(?:print|input|std(?:in|out)|open|read(?:lines?)?|write(?:lines)?|fileinput)\b")


class CodeBlock(NamedTuple):
    """The code to run, None where there is none, and what was done to find it, for people."""

    code: str | None
    note: str


class _Opening(NamedTuple):
    fence: str
    language: str
    indent: int


class _Block(NamedTuple):
    language: str
    lines: list[str]


class _Scan(NamedTuple):
    blocks: list[_Block]
    num_open: int  # blocks of Python, or of no language, that were never closed


def find_code(response: str, function: str | None = None) -> CodeBlock:
    """The code of a response that is run.

    Args:
        response: any text at all; the work is proportional to its length.
        function: name of the function that will be called; None for a program that reads and writes.

    Returns:
        the code with line feeds as line ends, and a note such as ``the last of 3 Python blocks``.
    """
    text = response.rpartition("</think>")[2].replace("\r\n", "\n").replace("\r", "\n")
    scan = _scan(text)
    blocks = [block for block in scan.blocks if block.language in _PYTHON]
    name = "Python block"
    if not blocks:
        blocks = [block for block in scan.blocks if not block.language]
        name = "block without a language"
    if not blocks:
        return CodeBlock(None, _why_none(scan))
    codes = ["\n".join(block.lines) for block in blocks]
    chosen = next((i for i in reversed(range(len(codes))) if not _is_fragment(codes[i], function)), len(codes) - 1)
    if not codes[chosen].strip():
        return CodeBlock(None, "the block of code is empty")
    return CodeBlock(codes[chosen] + "\n", _note(chosen, len(codes), name, scan.num_open))


def _why_none(scan: _Scan) -> str:
    if scan.num_open:
        return "a block of code is not closed"
    return "blocks of other languages only" if scan.blocks else "no block of code"


def _note(chosen: int, count: int, name: str, num_open: int) -> str:
    note = f"the only {name}" if count == 1 else f"the last of {count} {name.replace('block', 'blocks')}"
    if chosen < count - 1:
        passed = "the later one is a fragment" if chosen == count - 2 else "the later ones are fragments"
        note = f"number {chosen + 1} of {count} {name.replace('block', 'blocks')}: {passed}"
    return f"{note}; another is not closed" if num_open else note


def _is_fragment(code: str, function: str | None) -> bool:
    if function is None:
        return _READS_OR_WRITES.search(code) is None
    name = re.escape(function)
    forms = rf"(?:async[ \t]+)?def[ \t]+{name}\b|class[ \t]+{name}\b|{name}[ \t]*(?::[^=\n]*)?=[^=]"
    return re.search(rf"^[ \t]*(?:{forms})", code, re.MULTILINE) is None


def _scan(text: str) -> _Scan:
    """All complete blocks of a text in order. One pass over its lines."""
    strings = _Strings(text)
    blocks: list[_Block] = []
    num_open, opening, lines, position = 0, None, [], 0
    for line in text.split("\n"):
        start, position = position, position + len(line) + 1
        if opening is None:
            opening, lines = _opening(line) or _late_opening(line), []
            strings.leave()
            continue
        quote = strings.open_quote
        if _closes(line, opening) and not (quote and strings.ends_in_block(quote, start)):
            blocks.append(_Block(opening.language, lines))
            opening = None
            continue
        # A language is named where a block begins: the one before was forgotten. In a string it is the string's.
        other = None if quote and strings.ends_in_block(quote, start) else _opening(line)
        if other and other.language and len(other.fence) >= len(opening.fence):
            num_open += _may_be_python(opening)
            opening, lines = other, []
            strings.leave()
            continue
        lines.append(_dedented(line, opening.indent))
        strings.read(line)
    return _Scan(blocks, num_open + (opening is not None and _may_be_python(opening)))


def _may_be_python(opening: _Opening) -> bool:
    return not opening.language or opening.language in _PYTHON


def _opening(line: str) -> _Opening | None:
    found = _FENCE.match(line)
    if found is None:
        return None
    before, fence, info = found.groups()
    if fence[0] == "`" and "`" in info:
        # Code within a line.
        return None
    return _Opening(fence, _LANGUAGE.match(info)[1].lower(), len(before))


def _late_opening(line: str) -> _Opening | None:
    """A fence at the end of a line of text, as in ``The code: ```python``."""
    found = _LATE_FENCE.search(line[-40:])
    return _Opening(found[1], found[2].lower(), 0) if found else None


def _closes(line: str, opening: _Opening) -> bool:
    bare = _CLOSED_ANSWER.sub("", line[-80:]) if line[-1:] == ">" and len(line) < 80 else line
    bare = bare.strip(" \t")
    return len(bare) >= len(opening.fence) and bare == opening.fence[0] * len(bare)


def _dedented(line: str, indent: int) -> str:
    """A line without the white space that the fence had before it, as far as the line has it."""
    spare = len(line) - len(line.lstrip(" \t"))
    return line[min(spare, indent) :]


class _Strings:
    """Follows triple-quoted strings through the lines of a block."""

    def __init__(self, text: str) -> None:
        self._places = {quote: [found.start() for found in re.finditer(quote, text)] for quote in _TRIPLE}
        # Where a block of Python begins for sure: outside a list and with its language.
        begins = re.finditer(r"^(?:`{3,}|~{3,})[ \t]*(?:python|py)3?[ \t]*$", text, re.IGNORECASE | re.MULTILINE)
        self._begins = [found.start() for found in begins]
        self.open_quote = ""

    def leave(self) -> None:
        """A block ends: so do its strings."""
        self.open_quote = ""

    def read(self, line: str) -> None:
        """Go on by one line of a block."""
        place = 0
        while place < len(line):
            if self.open_quote:
                place = self._string_end(line, place)
                continue
            found = _LEXEME.search(line, place)
            if found is None:
                return
            place = found.end()
            if found.group() in _TRIPLE:
                self.open_quote = found.group()

    def _string_end(self, line: str, place: int) -> int:
        for found in _STRING_END[self.open_quote].finditer(line, place):
            if found.group(1):
                self.open_quote = ""
                return found.end()
        return len(line)

    def ends_in_block(self, quote: str, place: int) -> bool:
        """Whether the string that is open at ``place`` ends before another block begins; else it was never meant."""
        return _next(self._places[quote], place) < _next(self._begins, place + 1)


def _next(places: list[int], place: int) -> float:
    index = bisect_left(places, place)
    return places[index] if index < len(places) else float("inf")
