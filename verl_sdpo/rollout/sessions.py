# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What the sessions of an agent loop worker wait for, for those who ask why a step does not end."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

GENERATION, REWARD = "generation", "reward"


class Waiting(NamedTuple):
    """A session that has not ended."""

    uid: str
    session: Any
    # GENERATION or REWARD.
    waits_for: str
    # For how long it has waited for that, or for the next turn of it.
    seconds: float


class Sessions:
    """The running sessions of one worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: dict[Hashable, tuple[str, Any, str, float]] = {}
        self._moved_at = clock()

    def waits(self, key: Hashable, uid: str, session: Any, what: str) -> None:
        """From now on this session waits for `what`."""
        self._moved_at = self._clock()
        self._running[key] = (uid, session, what, self._moved_at)

    def goes_on(self, key: Hashable, what: str) -> None:
        """A session that is known waits for something else from now on, or for the same thing anew."""
        if key in self._running:
            uid, session, *_ = self._running[key]
            self.waits(key, uid, session, what)

    def ended(self, key: Hashable) -> None:
        """A session has ended, with a result or without."""
        self._running.pop(key, None)
        self._moved_at = self._clock()

    def idle_seconds(self) -> float:
        """How long ago the last session started, ended or went on."""
        return self._clock() - self._moved_at

    def unfinished(self) -> list[Waiting]:
        """All running sessions, those that have waited longest first."""
        now = self._clock()
        found = [Waiting(uid, session, what, now - since) for uid, session, what, since in self._running.values()]
        return sorted(found, key=lambda waiting: -waiting.seconds)
