# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and SIGINT in the process that starts a run: the first asks the run to stop, the second ends it at once.

What the first one leads to is the caller's: `asked`, called in a thread of its own, since a handler may interrupt
anything. At the end, of whichever kind, no process that came from this one is left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import psutil

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# For processes that were told to end, before they are made to.
GRACE_SECONDS = 10.0


class StopSignals:
    """Handlers of both signals, and what came.

    Args:
        asked: called once, with the name of the first signal.
    """

    def __init__(self, asked: Callable[[str], None]) -> None:
        self._asked = asked
        self.first: signal.Signals | None = None

    def install(self) -> None:
        """To be called in the main thread; again after something else, such as `ray.init`, has set handlers."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def exit_status(self) -> int:
        """Of a run that has ended well: 0, also after SIGTERM (a job that is asked to leave); 130 after SIGINT."""
        return 128 + signal.SIGINT if self.first == signal.SIGINT else 0

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self.first is not None:
            _say(f"{name} again: the run ends at once, without a checkpoint")
            kill_descendants()
            os._exit(128 + number)
        self.first = signal.Signals(number)
        _say(f"{name}: the run ends after the step that it is in, and saves; once more ends it at once")
        threading.Thread(target=self._asked, args=(name,), daemon=True).start()


@contextlib.contextmanager
def nothing_left_behind(shut_down: Callable[[], None]) -> Iterator[None]:
    """Processes that are started within this context have ended after it, or are killed.

    Args:
        shut_down: tells them to.
    """
    before = set(_descendants())
    try:
        yield
    finally:
        started = [process for process in _descendants() if process not in before]
        shut_down()
        _, alive = psutil.wait_procs(started, timeout=GRACE_SECONDS)
        if alive:
            _say(f"these did not end in {GRACE_SECONDS:g} s and are killed: {', '.join(map(_name, alive))}")
        _kill(alive)


def kill_descendants() -> None:
    """Kill every process that came from this one, also those that are started meanwhile."""
    deadline = time.monotonic() + GRACE_SECONDS
    while (alive := _descendants()) and time.monotonic() < deadline:
        _kill(alive)
        time.sleep(0.05)


def _descendants() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [process for process in found if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())[:60] or process.name()
    return f"process {process.pid}"


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.kill()


def _say(text: str) -> None:
    # A handler may have interrupted a print: the descriptor is written to, past Python's buffers.
    os.write(sys.__stderr__.fileno(), f"verl_sdpo: {text}\n".encode())
