# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Says what a run waits for when it waits long. It ends nothing: a long step is no fault."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

# Why a phase waits, and since when: seconds without progress, and what to say.
Look = Callable[[], tuple[float, list[str]]]


class Watchdog:
    """A thread that logs the phase that a run is in, where it makes no progress for `seconds`, then twice that, ...

    Args:
        say: gets each message.
    """

    def __init__(self, seconds: float, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._say, self._clock = say, clock
        # What the run does, since when, and how to look closer; None between phases.
        self._phase: tuple[str, float, Look | None] | None = None
        self._due = seconds

    @contextlib.contextmanager
    def phase(self, name: str, look: Look | None = None) -> Iterator[None]:
        """Within this context the run does what the name says; the phase around it begins anew afterwards."""
        outer = self._phase
        self._enter((name, self._clock(), look))
        try:
            yield
        finally:
            self._enter(outer and (outer[0], self._clock(), outer[2]))

    def start(self) -> None:
        """Begin to look, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def check(self) -> float:
        """Say what is waited for, if it is time to; returns the seconds until it may be."""
        phase = self._phase
        if phase is None:
            return self.seconds
        name, since, look = phase
        still, lines = self._clock() - since, []
        if look is not None and still >= self._due:
            idle, lines = look()
            still = min(still, idle)
        if still < self.seconds:
            # It has gone on since the last message.
            self._due = self.seconds
        if still < self._due or self._phase is not phase:
            return max(self._due - still, 0.0)
        self._due *= 2
        self._say("\n  ".join([f"no progress for {still:.0f} s in: {name}", *lines]))
        return max(self._due - still, 0.0)

    def _enter(self, phase: tuple[str, float, Look | None] | None) -> None:
        self._phase, self._due = phase, self.seconds

    def _run(self) -> None:
        while True:
            # A phase that begins now is due after `seconds`, and is looked at within a tenth of that.
            time.sleep(min(max(self.check(), 0.05), self.seconds / 10))
