# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Making a teacher prompt fit: only what was added to the question is cut, and only in its middle.

Cutting the rendered chat instead loses an end that matters: on the right the request to solve the question and the
generation prompt, on the left the system turn and the question.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from verl_sdpo.algorithm.reprompt import Message, Reprompt

CUT_MARK = "\n[... shortened ...]\n"
_PIECES = ("demonstration", "feedback", "privileged_context", "own_attempt")
# The search stops once it is this share of the limit below it: a few tokens of a solution are not worth another
# rendering of the chat.
_SLACK = 1 / 64


@dataclass(frozen=True)
class Shortened:
    """A reprompt after `shorten_reprompt`; one that does not fit must get no target."""

    reprompt: Reprompt
    was_shortened: bool
    fits: bool


def shorten_reprompt(
    reprompt: Reprompt,
    max_len: int,
    count_tokens: Callable[[list[Message]], int],
    *,
    truncation: str = "middle",
) -> Shortened:
    """Cut solution, feedback, privileged context and attempt, the longest first, until the teacher prompt fits.

    Args:
        reprompt: what the teacher is shown.
        max_len: most tokens of the teacher prompt, generation prompt included (`RepromptConfig.max_reprompt_len`).
        count_tokens: tokens of chat messages rendered with the generation prompt. Called once where the prompt fits,
            and seldom more than six times where it does not.
        truncation: "middle", or "error" to raise instead of cutting (`RepromptConfig.reprompt_truncation`).

    Returns:
        `fits` is True only for a reprompt that `count_tokens` found to be at most `max_len`. Where a mere character
        of each piece is too much, all pieces are dropped and `fits` is False.

    Raises:
        ValueError: the prompt is too long and `truncation` is "error"; or `truncation` is unknown.
    """
    if truncation not in ("middle", "error"):
        raise ValueError(f"reprompt_truncation={truncation!r} is not known: choose one of middle, error")
    num_tokens = count_tokens(reprompt.render())
    if num_tokens <= max_len:
        return Shortened(reprompt, was_shortened=False, fits=True)
    if truncation == "error":
        raise ValueError(
            f"max_reprompt_len={max_len} is less than the {num_tokens} tokens of a teacher prompt: raise it, or set "
            "reprompt_truncation='middle' to shorten what is added to the question"
        )
    pieces = {name: getattr(reprompt, name) for name in _PIECES if getattr(reprompt, name) is not None}
    fitting = _longest_fitting(reprompt, pieces, num_tokens, max_len, count_tokens) if pieces else None
    if fitting is not None:
        return Shortened(fitting, was_shortened=True, fits=True)
    return Shortened(replace(reprompt, **dict.fromkeys(pieces)), was_shortened=bool(pieces), fits=False)


def _longest_fitting(
    reprompt: Reprompt,
    pieces: Mapping[str, str],
    num_tokens: int,
    max_len: int,
    count_tokens: Callable[[list[Message]], int],
) -> Reprompt | None:
    """Search for the most characters that each piece may keep; None where even one is too much.

    One bound for all pieces takes from the longest first and leaves short ones whole. Of the two bounds `low` always
    fits and `high` never does, so the result fits even where more characters happen to be fewer tokens.
    """
    low, high, high_tokens = 1, max(map(len, pieces.values())), num_tokens
    best = _cut_all(reprompt, pieces, low)
    low_tokens = count_tokens(best.render())
    if low_tokens > max_len:
        return None
    # Aimed at the middle of what is good enough: aimed at the limit, every other guess would be a token too long.
    aim = max_len * (1 - _SLACK / 2)
    bisects = False
    while high - low > 1 and low_tokens < max_len * (1 - _SLACK):
        # Tokens grow almost evenly with characters, so interpolation lands close. Every other step halves the range,
        # which bounds the number of steps for text where they do not.
        share = 0.5 if bisects else (aim - low_tokens) / (high_tokens - low_tokens)
        middle = min(max(low + int(share * (high - low)), low + 1), high - 1)
        candidate = _cut_all(reprompt, pieces, middle)
        middle_tokens = count_tokens(candidate.render())
        if middle_tokens <= max_len:
            low, low_tokens, best = middle, middle_tokens, candidate
        else:
            high, high_tokens = middle, middle_tokens
        bisects = not bisects
    return best


def _cut_all(reprompt: Reprompt, pieces: Mapping[str, str], num_kept: int) -> Reprompt:
    return replace(reprompt, **{name: cut_middle(text, num_kept) for name, text in pieces.items()})


def cut_middle(text: str, num_kept: int) -> str:
    """`num_kept` characters of `text`, half from each end, around a mark; `text` itself where that is no longer."""
    if len(text) <= num_kept + len(CUT_MARK):
        return text
    num_tail = num_kept // 2
    return text[: num_kept - num_tail] + CUT_MARK + text[len(text) - num_tail :]
