# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Texts for people about what happened in a program, cut to a bounded length."""

import re
import traceback
from collections.abc import Iterable
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
# Frames of a traceback: the first and the last so many.
_FIRST, _LAST = 5, 15


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters: of a longer text the first two thirds and the end."""
    if len(text) <= limit:
        return text
    mark = f" ... {len(text) - limit} more characters ... "
    kept = max(limit - len(mark), 0)
    head = (2 * kept + 2) // 3
    return (text[:head] + mark + text[len(text) - (kept - head) :])[:limit]


def short_repr(value: Any, limit: int) -> str:
    """The repr in at most ``limit`` characters, without addresses, which differ from run to run."""
    try:
        return _ADDRESS.sub("", shortened(repr(value), limit))
    except BaseException as error:  # of a program's own method, or an int of too many digits
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def own_traceback(error: BaseException, files: Iterable[str], limit: int = 4000) -> str:
    """The traceback as Python prints it, with the frames in ``files`` only."""
    frames = [step for step in traceback.walk_tb(error.__traceback__) if step[0].f_code.co_filename in files]
    lines = _frame_lines(frames[:_FIRST])
    if len(frames) > _FIRST + _LAST:
        lines += [f"  ... {len(frames) - _FIRST - _LAST} more calls ...\n"]
    lines += _frame_lines(frames[_FIRST:][-_LAST:])
    head = ["Traceback (most recent call last):\n"] if lines else []
    last = traceback.format_exception_only(type(error), error)
    return shortened("".join([*head, *lines, *last]).rstrip("\n"), limit)


def _frame_lines(frames: list) -> list[str]:
    return traceback.StackSummary.extract(iter(frames)).format()
