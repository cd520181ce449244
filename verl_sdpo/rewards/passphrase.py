# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Scorer of the quickstart task: the answer is a passphrase of a few words, right or wrong as a whole.

The feedback of a wrong answer is what a failing unit test prints: what came out and what was expected. The reward is
1 or 0, so it says nothing about which word was wrong.
"""

MAX_ECHOED_WORDS = 8  # a longer answer is cut in the feedback, so that a runaway response cannot fill the next prompt


def compute_score(solution_str: str, ground_truth: str, extra_info: dict | None = None) -> dict:
    """Score one answer against the expected passphrase, comparing word by word and ignoring white space.

    Args:
        solution_str: the decoded response, without special tokens.
        ground_truth: the expected words, separated by spaces; must not be empty.
        extra_info: not used; part of the common signature of the scorers.

    Returns:
        `score` and `acc` (1.0 or 0.0), `feedback` ('' when right) and `incorrect_format` (1.0 when the number of
        words is not the expected one, else 0.0).

    Raises:
        ValueError: when `ground_truth` holds no word.
    """
    expected, given = ground_truth.split(), solution_str.split()
    if not expected:
        raise ValueError(f"ground_truth={ground_truth!r} holds no word: give the expected passphrase")
    is_right = given == expected
    return {
        "score": float(is_right),
        "acc": float(is_right),
        "feedback": "" if is_right else _describe(given, expected),
        "incorrect_format": float(len(given) != len(expected)),
    }


def _describe(given: list[str], expected: list[str]) -> str:
    """Say in words what came out and what was expected."""
    echoed = " ".join(given[:MAX_ECHOED_WORDS]) or "nothing"
    return f"The encoding is wrong. Your answer: {echoed}. Expected answer: {' '.join(expected)}."
