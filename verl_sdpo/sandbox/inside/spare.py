# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A process that waits for a program: confined as far as it can be before it is known what it will run.

It is forked while the program before it runs, which takes that time off its own run.
"""

import contextlib
import fcntl
import json
import os
import socket
from typing import Any

import isolate
import roles
import syscalls

_MAX_MESSAGE = 2**16
# Above the descriptors that have a meaning to the roles; gone before the program runs.
_CHANNEL = max(roles.DESCRIPTORS.values()) + 1
_RULESET = _CHANNEL + 1


class Spare:
    """The interpreter's side of such a process."""

    def __init__(self, confinement: isolate.Confinement, folder: str, warm_bytes: int) -> None:
        """Forks it.

        Args:
            confinement: the layers that it puts on.
            folder: where the program will run.
            warm_bytes: address space that the interpreter has, beyond which the program's is limited.
        """
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid:
            theirs.close()
            return
        try:
            _Waiting(confinement, folder, warm_bytes).live(theirs.fileno())
        finally:
            os._exit(121)

    def give(self, part: dict[str, Any], descriptors: dict[str, int]) -> None:
        """Says what to run, with which descriptors; from here on it is a program's process.

        Raises:
            OSError: the process is gone.
        """
        message = json.dumps(part | {"descriptors": list(descriptors)}).encode()
        socket.send_fds(self._channel, [message], list(descriptors.values()))
        self._channel.close()

    def discard(self) -> None:
        """Waits for a process that is gone."""
        self._channel.close()
        os.waitpid(self.pid, 0)


class _Waiting:
    """The process's own side."""

    def __init__(self, confinement: isolate.Confinement, folder: str, warm_bytes: int) -> None:
        self._confinement = confinement
        self._folder = folder
        self._warm_bytes = warm_bytes

    def live(self, channel: int) -> None:
        """Waits for its orders and plays its role. Does not return."""
        self._close_all_but(channel)
        ruleset = None if self._confinement.ruleset is None else _RULESET
        isolate.give_up(self._confinement._replace(ruleset=ruleset))
        with socket.socket(fileno=_CHANNEL) as orders:
            data, descriptors, _, _ = socket.recv_fds(orders, _MAX_MESSAGE, len(roles.DESCRIPTORS))
        if not data:
            os._exit(0)
        part = json.loads(data)
        _arrange(dict(zip(part["descriptors"], descriptors, strict=True)))
        try:
            # Only now: a program's directory may be a new one for each.
            os.chdir(self._folder)
            limits = part["limits"]
            memory = self._warm_bytes + int(limits["memory_mib"] * 2**20)
            isolate.limit(limits["cpu_seconds"], memory, int(limits["file_bytes"]))
            isolate.restrict()
            roles.play(part["role"])
        except BaseException as error:
            os.write(roles.DESCRIPTORS["phase"], f"{type(error).__name__}: {error}".encode("utf-8", "replace"))

    def _close_all_but(self, channel: int) -> None:
        """The supervisor's socket first of all."""
        kept = {_CHANNEL: _moved(channel)}
        if self._confinement.ruleset is not None:
            kept[_RULESET] = _moved(self._confinement.ruleset)
        for number in range(_RULESET + 1):
            if number in kept:
                os.dup2(kept[number], number)
            else:
                _close(number)
        syscalls.call("close_range", _RULESET + 1, 2**31 - 1, 0)


def _arrange(given: dict[str, int]) -> None:
    """Puts descriptors where the roles look for them."""
    numbers = {roles.DESCRIPTORS[name]: _moved(descriptor) for name, descriptor in given.items()}
    for number in range(_RULESET + 1):
        if number in numbers:
            os.dup2(numbers[number], number)
        else:
            _close(number)
    syscalls.call("close_range", _RULESET + 1, 2**31 - 1, 0)


def _moved(descriptor: int) -> int:
    """A copy above all numbers that have a meaning."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100)


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)
