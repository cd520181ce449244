# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Reward of the quickstart's task: the answer is a passphrase of a few words, right or wrong as a whole.

The feedback on a wrong answer is what a failing unit test prints: what came out, and what was expected. The score is 1
or 0, so it does not even tell which word was wrong.
"""

from collections.abc import Mapping
from typing import Any

from verl_sdpo.rewards import feedback_texts as texts

# A longer answer is cut in the feedback, so that a runaway response cannot fill the teacher's prompt.
MAX_ECHOED_WORDS = 6


def compute_score(
    solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None
) -> dict[str, float | str]:
    """Compare an answer with the expected passphrase, word by word; white space does not count, case does.

    Args:
        solution_str: the decoded response without special tokens; any text at all gets a score.
        ground_truth: the expected words.
        extra_info: of no use here; all rewards take it.

    Returns:
        `score` and `acc` (1.0 where right, else 0.0), `feedback` (text, empty where right), `incorrect_format` (1.0
        where the number of words is wrong, else 0.0).

    Raises:
        ValueError: `ground_truth` holds no word.
    """
    given, expected = solution_str.split(), _expected_words(ground_truth)
    is_right = given == expected
    return {
        "score": float(is_right),
        "acc": float(is_right),
        "feedback": "" if is_right else _comparison(given, expected),
        "incorrect_format": float(len(given) != len(expected)),
    }


def read_answer(solution_str: str, extra_info: Mapping[str, Any] | None = None) -> str | None:
    """The words of a response, one space apart; None where it has none."""
    return " ".join(solution_str.split()) or None


def check_ground_truth(ground_truth: Any, extra_info: Mapping[str, Any] | None = None) -> None:
    """Whether a row can be scored, whatever the response; `extra_info` does not matter.

    Raises:
        ValueError: `ground_truth` is no text, or holds no word.
    """
    _expected_words(ground_truth)


def _expected_words(ground_truth: Any) -> list[str]:
    words = ground_truth.split() if isinstance(ground_truth, str) else []
    if not words:
        raise ValueError(f"ground_truth={ground_truth!r} holds no word: give the expected passphrase")
    return words


def _comparison(given: list[str], expected: list[str]) -> str:
    return texts.wrong_passphrase(" ".join(given[:MAX_ECHOED_WORDS]), " ".join(expected))
