# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a traceback says about the program's own lines."""

import re

# The name under which programs are compiled, and code that they compile themselves.
OWN_FILES = frozenset({"solution.py", "<string>"})
_FRAME = re.compile(r'  File "([^"]{0,1000})", line ')
_HEADER = "Traceback (most recent call last):"
_LINKS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


def own_trace(errors: str) -> str:
    """The last traceback of a standard error stream with the frames of the program's own lines.

    Frames of the sandbox and of libraries are left out, the line ``Traceback`` too where no frame is left, and whatever
    the program itself wrote before. Text without a traceback is returned as it is.
    """
    lines = errors.rstrip().split("\n")
    kept: list[str] = []
    is_dropped = False
    for line in lines[_beginning(lines) :]:
        frame = _FRAME.match(line)
        if frame:
            file = frame[1].rpartition("/")[2]
            is_dropped = file not in OWN_FILES
            line = f'  File "{file}", line {line[frame.end() :]}'
        elif not line.startswith(("    ", "  [Previous line")):
            is_dropped = False
        if not is_dropped:
            kept.append(line)
    return "\n".join(_without_empty_headers(kept))


def _beginning(lines: list[str]) -> int:
    """Where the last traceback begins, with those that led to it."""
    first = None
    for index, line in enumerate(lines):
        # One that is linked to the one before continues it.
        if line == _HEADER and (first is None or not any(text in _LINKS for text in lines[max(0, index - 3) : index])):
            first = index
    return first or 0


def _without_empty_headers(lines: list[str]) -> list[str]:
    following = [*lines[1:], ""]
    return [line for line, after in zip(lines, following) if line != _HEADER or after.startswith("  ")]
