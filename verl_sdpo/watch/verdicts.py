# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Samples that could not be judged: how many there may be before a run is not worth going on with.

A reward says by a field of its outcome that there is no verdict and that the response is not to blame. Such samples are
left out of training. A few are no harm; many mean that the sandbox or the tests are broken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

SANDBOX_ERROR, BAD_TEST = "sandbox_error", "bad_test"
# Fields of a reward's outcome, each 1.0 where this is why there is no verdict.
KINDS = (SANDBOX_ERROR, BAD_TEST)
# What fractions are taken of: at least so many, so that a single case in a small batch is not much of it.
WINDOW = 200
MOST_REASONS = 3
_UNITS = {SANDBOX_ERROR: "samples", BAD_TEST: "questions"}
_REMEDIES = {
    SANDBOX_ERROR: "Run python -m verl_sdpo.sandbox doctor on each machine that scores, as the run's user",
    BAD_TEST: "Correct these rows' tests or take the rows out; if the tests are sound, run python -m verl_sdpo.sandbox "
    "doctor",
}


class NoVerdictError(RuntimeError):
    """Too many samples could not be judged."""


class Judged(NamedTuple):
    """A scored sample."""

    uid: Hashable
    # Which of KINDS are the reason that there is no verdict; empty where there is one.
    kinds: tuple[str, ...] = ()
    # What the reward said about that: a line, and perhaps a traceback below it.
    reason: str = ""


def judged(uid: Hashable, reward_info: Mapping[str, Any] | None) -> Judged:
    """A sample from what its reward returned besides the score. A reward that knows no such field always judges."""
    info = reward_info or {}
    kinds = tuple(kind for kind in KINDS if float(info.get(kind) or 0.0) > 0.0)
    return Judged(uid, kinds, str(info.get("feedback") or "") if kinds else "")


def verdict_metrics(samples: Sequence[Judged]) -> dict[str, float]:
    """Fractions, 0 to 1, of the samples of a step.

    - `reward/sandbox_error_fraction`: samples that the sandbox failed to judge, also when it tried again
    - `reward/bad_test_fraction`: samples whose question has a broken test
    - `reward/no_verdict_batch`: 1 where no sample has a verdict, so that nothing can be learned
    """
    fractions = {f"reward/{kind}_fraction": _count(samples, kind) / max(len(samples), 1) for kind in KINDS}
    return fractions | {"reward/no_verdict_batch": float(is_without_verdict(samples))}


def is_without_verdict(samples: Sequence[Judged]) -> bool:
    """Whether there are samples, and none of them was judged."""
    return bool(samples) and all(sample.kinds for sample in samples)


@dataclass(frozen=True)
class VerdictLimits:
    """The largest fractions that a run puts up with, 0 to 1; None: any.

    Raises:
        ValueError: key, value and what to write.
    """

    sandbox_error: float | None = 0.01
    bad_test: float | None = 0.01

    def __post_init__(self) -> None:
        for kind in KINDS:
            value = getattr(self, kind)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0.0 <= value < 1.0):
                raise ValueError(
                    f"{option_of(kind)}={value!r} is no limit: set a number from 0 (none) to below 1, or null for any"
                )


def option_of(kind: str) -> str:
    """The key of a limit in the section `trainer`."""
    return f"max_{kind}_fraction"


class VerdictWatch:
    """Counts what was scored lately, and says when a limit is passed.

    What is looked at are the last batches that together have `WINDOW` samples, or questions, or more. While there are
    fewer, the missing ones count as judged: then a limit is passed only where it would be, whatever came. A broken test
    is the row's and concerns all samples of its question, so of bad tests questions are counted.
    """

    def __init__(self, limits: VerdictLimits) -> None:
        self.limits = limits
        # (all, cases) of each batch, the oldest first.
        self._batches: dict[str, deque[tuple[int, int]]] = {kind: deque() for kind in KINDS}
        # The first lines of the last ones, and the first one whole.
        self._reasons: dict[str, deque[str]] = {kind: deque(maxlen=MOST_REASONS) for kind in KINDS}
        self._first: dict[str, str] = {}

    def add(self, samples: Sequence[Judged]) -> None:
        """Count a batch."""
        for kind in KINDS:
            units = samples if kind == SANDBOX_ERROR else _questions(samples, kind)
            batches = self._batches[kind]
            batches.append((len(units), _count(units, kind)))
            while sum(num for num, _ in batches) - batches[0][0] >= WINDOW:
                batches.popleft()
            given = [s.reason.strip() for s in samples if kind in s.kinds and s.reason.strip()]
            self._reasons[kind].extend(reason.splitlines()[0] for reason in given)
            if given:
                self._first.setdefault(kind, given[0])

    def fault(self) -> str | None:
        """What passes its limit: counts, option, reasons and remedy; None where nothing does."""
        return next((text for kind in KINDS if (text := self._fault(kind)) is not None), None)

    def first_reasons(self) -> str:
        """Of each kind the reason that a reward gave first, whole; empty where none gave any."""
        return "\n".join(f"The first reason for {kind}: {reason}" for kind, reason in self._first.items())

    def _fault(self, kind: str) -> str | None:
        limit, batches = getattr(self.limits, kind), self._batches[kind]
        total, cases = (sum(column) for column in zip(*batches)) if batches else (0, 0)
        # A limit of 0.07 allows 14 of 200, whose product is a little more in floating point.
        if limit is None or cases <= math.floor(limit * max(total, WINDOW) + 1e-9):
            return None
        # Each once, in their order.
        reasons = "; ".join(map(repr, dict.fromkeys(self._reasons[kind]))) or "the reward gave none, see the log"
        return (
            f"{cases} of the last {total} {_UNITS[kind]} have no verdict ({kind}), more than "
            f"trainer.{option_of(kind)}={limit} of {max(total, WINDOW)}. Last reasons: {reasons}. {_REMEDIES[kind]}. "
            f"null in place of the fraction puts up with all{self._traceback(kind)}"
        )

    def _traceback(self, kind: str) -> str:
        first = self._first.get(kind, "")
        return f". The first reason in full:\n{first}" if "\n" in first else ""


def _count(samples: Sequence[Judged], kind: str) -> int:
    return sum(kind in sample.kinds for sample in samples)


def _questions(samples: Sequence[Judged], kind: str) -> list[Judged]:
    """One for each question, with the kind if one of its samples has it."""
    has_kind: dict[Hashable, bool] = {}
    for sample in samples:
        has_kind[sample.uid] = has_kind.get(sample.uid, False) or kind in sample.kinds
    return [Judged(uid, (kind,) if is_case else ()) for uid, is_case in has_kind.items()]
