# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Several attempts at one question in one number: avg@n, pass@k, maj@n. A table has its mean over questions.

Attempts without a verdict are not attempts: whoever calls leaves them out, of answers and of scores alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence


def avg_at_n(scores: Sequence[float]) -> float:
    """The mean score of the attempts, which the paper's tables call avg@16 and the like.

    Raises:
        ValueError: there is no attempt.
    """
    _need_attempts(len(scores))
    return math.fsum(scores) / len(scores)


def pass_at_k(num_attempts: int, num_successes: int, k: int) -> float:
    """The share of the sets of k different attempts in which at least one is a success, 1 - C(n-c, k) / C(n, k).

    This estimates without bias the probability that k new attempts have a success (Chen et al. 2021, arXiv 2107.03374,
    section 2.1). Taking the best of k attempts drawn with replacement does not: it finds fewer.

    Raises:
        ValueError: more successes than attempts, or k is not between 1 and the number of attempts.
    """
    if not 0 <= num_successes <= num_attempts:
        raise ValueError(f"{num_successes} successes of {num_attempts} attempts")
    if not 1 <= k <= num_attempts:
        raise ValueError(f"pass@{k} of {num_attempts} attempts: k must be from 1 to the number of attempts")
    # Python's whole numbers are exact, and so is their quotient to the last bit.
    return 1.0 - math.comb(num_attempts - num_successes, k) / math.comb(num_attempts, k)


def maj_at_n(answers: Sequence[Hashable | None], scores: Sequence[float]) -> float:
    """The score of the answer that most attempts gave.

    Where several answers have the most votes, one of them is drawn, each as likely: this is the expected value. An
    answer's score is the mean over the attempts that gave it, which differ only where the reward looks at more than
    the answer. None, no answer found, does not vote; where nobody votes, an attempt is drawn.

    Args:
        answers: of one question, in the order of `scores`, in a form in which equal answers are equal.
        scores: of the same attempts.

    Raises:
        ValueError: there is no attempt, or not as many answers as scores.
    """
    _need_attempts(len(scores))
    votes = Counter(answer for answer, _ in zip(answers, scores, strict=True) if answer is not None)
    if not votes:
        return avg_at_n(scores)
    most = max(votes.values())
    # All winners have as many votes, so the mean over their attempts is the mean over the winners.
    return avg_at_n([score for answer, score in zip(answers, scores) if votes.get(answer) == most])


def _need_attempts(num_attempts: int) -> None:
    if num_attempts == 0:
        raise ValueError("no attempts: a question without a verdict is left out, not counted as zero")
