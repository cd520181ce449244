# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A process that waits for a program: confined as far as it can be before it is known what it will run.

It is made while the program before it runs, which takes that time off its own run.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
from typing import Any

import isolate
import roles
import syscalls

_MAX_MESSAGE = 2**16
_PR_SET_PDEATHSIG = 1
# The exit status of a process that could not do its part.
FAILED = 121
# One for each process that a job may have, and as many for the next job: of two processes at one socket, which are
# quick and slow to start, the wrong one could read the orders.
PROCESSES_OF_A_JOB = 2
CHANNELS = range(2 * PROCESSES_OF_A_JOB)
# The first descriptor above those that have a meaning to the roles; what is there is gone before the program runs.
_FIRST = max(roles.DESCRIPTORS.values()) + 1


class Spare:
    """The interpreter's side of such a process."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        """A child of the caller's, and the socket at whose other end it waits."""
        self.pid = pid
        self._channel = channel

    def give(self, part: dict[str, Any], descriptors: dict[str, int]) -> None:
        """Says what to run, with which descriptors; from here on it is a program's process.

        Raises:
            OSError: the process is gone.
        """
        message = json.dumps(part | {"descriptors": list(descriptors)}).encode()
        socket.send_fds(self._channel, [message], list(descriptors.values()))


class Waiting:
    """The process's own side."""

    def __init__(self, folder: str, warm_bytes: int) -> None:
        """What all such processes know; see ``Template``."""
        self._folder = folder
        self._warm_bytes = warm_bytes

    def live(self, channel: int) -> None:
        """Waits for its orders and plays its role. Does not return."""
        try:
            self._live(channel)
        finally:
            os._exit(FAILED)

    def _live(self, channel: int) -> None:
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with socket.socket(fileno=channel) as orders:
            data, descriptors, _, _ = socket.recv_fds(orders, _MAX_MESSAGE, len(roles.DESCRIPTORS))
        if not data:
            os._exit(0)
        part = json.loads(data)
        _arrange(dict(zip(part["descriptors"], descriptors, strict=True)))
        try:
            os.setsid()
            # Only now: a program's directory may be a new one for each.
            os.chdir(self._folder)
            limits = part["limits"]
            memory = self._warm_bytes + int(limits["memory_mib"] * 2**20)
            isolate.limit(limits["cpu_seconds"], memory, int(limits["file_bytes"]))
            isolate.restrict()
            roles.play(part["role"])
        except BaseException as error:
            os.write(roles.DESCRIPTORS["phase"], f"{type(error).__name__}: {error}".encode("utf-8", "replace"))


def close_all_but(descriptors: list[int]) -> list[int]:
    """Closes all descriptors but some, the supervisor's socket first of all; returns their new numbers."""
    moved = [_moved(descriptor) for descriptor in descriptors]
    kept = [os.dup2(descriptor, _FIRST + place) for place, descriptor in enumerate(moved)]
    _keep_only(set(kept), _FIRST + len(kept))
    return kept


def _arrange(given: dict[str, int]) -> None:
    """Puts descriptors where the roles look for them, and closes all others."""
    moved = {roles.DESCRIPTORS[name]: _moved(descriptor) for name, descriptor in given.items()}
    for number, descriptor in moved.items():
        os.dup2(descriptor, number)
    _keep_only(set(moved), _FIRST)


def _keep_only(kept: set[int], end: int) -> None:
    for number in set(range(end)) - kept:
        with contextlib.suppress(OSError):
            os.close(number)
    syscalls.call("close_range", end, 2**31 - 1, 0)


def _moved(descriptor: int) -> int:
    """A copy above all numbers that have a meaning."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100)
