# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What every backend does around a run: so many at once, once more after a fault of its own, no verdict made twice."""

from collections.abc import Callable

from verl_sdpo.sandbox.kept import Kept
from verl_sdpo.sandbox.result import ExecutionResult, Status
from verl_sdpo.sandbox.slots import Slots

_ATTEMPTS = 2

Attempt = Callable[[], list[ExecutionResult]]


class Runs:
    """Runs of programs, of which at most ``num_slots`` are at work at the same time."""

    def __init__(self, num_slots: int) -> None:
        self._slots = Slots(num_slots)
        self._kept = Kept()

    def results(self, key: bytes, attempt: Attempt) -> list[ExecutionResult]:
        """The results of an earlier run with the same key, or of a new one, which are kept unless the sandbox failed.

        Args:
            key: of the program, its input and its limits.
            attempt: runs the program once.
        """
        if (known := self._kept.get(key)) is not None:
            return known
        with self._slots:
            results = tried_again(attempt)
        if not _has_failed(results):
            self._kept.put(key, results)
        return results


def tried_again(attempt: Attempt) -> list[ExecutionResult]:
    """The results of the first attempt at which the sandbox itself did not fail, or of the last one."""
    for _ in range(_ATTEMPTS):
        results = attempt()
        if not _has_failed(results):
            break
    return results


def _has_failed(results: list[ExecutionResult]) -> bool:
    return any(result.status == Status.SANDBOX_ERROR for result in results)
