# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The process that all programs' processes are copies of: confined as far as all of them are, and doing nothing else.

It makes copies of itself for the interpreter, which is their parent: so they inherit the layers instead of putting them
on. Its loop leaves no trace in its memory, so each copy begins in the very same state, whatever was run before, and
even the addresses of a program's objects are the same on repeat.
"""

import os
import signal
import socket
import struct

import isolate
import syscalls
from spare import CHANNELS, FAILED, Spare, Waiting, close_all_but

_CLONE_PARENT = 0x8000
_REQUESTS = len(CHANNELS)
_PID = struct.Struct("<I")


class Template:
    """The interpreter's side of it."""

    def __init__(self, confinement: isolate.Confinement, folder: str, warm_bytes: int) -> None:
        """Forks it.

        Args:
            confinement: the layers that it puts on.
            folder: where programs will run.
            warm_bytes: address space that the interpreter has, beyond which a program's is limited.
        """
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(_REQUESTS + 1)]
        *self._channels, self._requests = [ours for ours, _ in pairs]
        self._pid = os.fork()
        if self._pid:
            for _, theirs in pairs:
                theirs.close()
            return
        try:
            _serve([theirs.fileno() for _, theirs in pairs], confinement, Waiting(folder, warm_bytes))
        finally:
            os._exit(FAILED)

    def copy(self, channel: int) -> Spare:
        """A process that waits for its orders, a child of the caller's.

        Args:
            channel: where it waits, one of ``CHANNELS``; no other process may be waiting there.

        Raises:
            OSError: the template is gone.
        """
        self._requests.send(bytes([channel]))
        told = self._requests.recv(_PID.size)
        if not told:
            raise BrokenPipeError("the template is gone")
        return Spare(_PID.unpack(told)[0], self._channels[channel])

    def discard(self) -> None:
        """Waits for a template that is gone."""
        for channel in (*self._channels, self._requests):
            channel.close()
        os.waitpid(self._pid, 0)


def _serve(ends: list[int], confinement: isolate.Confinement, waiting: Waiting) -> None:
    """The template's own side. Does not return."""
    kept = close_all_but([*ends, *(() if confinement.ruleset is None else (confinement.ruleset,))])
    requests = kept[_REQUESTS]
    isolate.give_up(confinement._replace(ruleset=None if confinement.ruleset is None else kept[-1]))
    # As fork does it, but for the parent. This process has one thread, so there is nothing else to see to.
    clone = syscalls.prepared("clone", _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    place, told = bytearray(1), bytearray(_PID.size)
    places = [place]
    # Nothing in this loop outlives its round, and nothing is freed between a round's start and the copy.
    while os.readv(requests, places):
        pid = clone()
        if not pid:
            waiting.live(kept[place[0]])
        _PID.pack_into(told, 0, max(pid, 0))
        os.write(requests, told)
    os._exit(0)
