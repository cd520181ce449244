# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens as text: the response cut into what each token adds to it, and single ids of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What decoders write for bytes that are no whole character.
_BROKEN = "\N{REPLACEMENT CHARACTER}"
# Tokens that a character waits for at most: it has four bytes, and what joins several characters is whole by itself.
_MOST_WAITING = 8


def pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """What each token adds to the text, `(len(ids),)`; together they are the decoded text.

    A character may be made of several tokens: it stands at the last one, and those before it add nothing.
    """
    found, start, end = [], 0, 0
    known = ""
    for place in range(len(ids)):
        # A short window: a token's text depends on the one before it (spaces), and decoding all anew is quadratic.
        text = tokenizer.decode(ids[start : place + 1])
        is_whole = not text.endswith(_BROKEN)
        if is_whole or place == len(ids) - 1 or place - end >= _MOST_WAITING:
            found.append(text[len(known) :])
            start, end = end, place + 1
            known = tokenizer.decode(ids[start:end])
        else:
            found.append("")
    return found


def name_of(tokenizer: Any, token_id: int) -> str:
    """One id as a reader can tell it from others: its text, or the vocabulary's entry where that is no whole text."""
    text = tokenizer.decode([token_id])
    if text and _BROKEN not in text:
        return text
    return f"<bytes {tokenizer.convert_ids_to_tokens(token_id) or token_id}>"
