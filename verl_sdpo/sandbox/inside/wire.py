# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Messages over two file descriptors: four bytes of length, little-endian, then that many bytes."""

import os
import select
import time
from struct import Struct

MAX_MESSAGE = 64 * 2**20
_HEADER = Struct("<I")
_CHUNK = 2**16


class Closed(Exception):
    """The other side is gone."""


class Overdue(Exception):
    """The other side did not read or write in time."""


class Malformed(Exception):
    """The other side wrote what is no message."""


class Stream:
    """One side of the two. Where ``deadline``, a time of ``time.monotonic``, is given, nothing waits beyond it."""

    def __init__(self, read_from: int, write_to: int, deadline: float | None = None) -> None:
        self._read_from = read_from
        self._write_to = write_to
        self._deadline = deadline
        self._pending = bytearray()
        if deadline is not None:
            os.set_blocking(read_from, False)
            os.set_blocking(write_to, False)

    def send(self, message: bytes) -> None:
        """Writes a message of at most ``MAX_MESSAGE`` bytes.

        Raises:
            Closed, Overdue: nobody reads it.
        """
        if len(message) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(message):,} bytes, more than {MAX_MESSAGE:,}")
        rest = memoryview(_HEADER.pack(len(message)) + message)
        while rest:
            try:
                rest = rest[os.write(self._write_to, rest[:_CHUNK]) :]
            except BlockingIOError:
                self._wait(self._write_to, select.POLLOUT)
            except (BrokenPipeError, ConnectionError) as error:
                raise Closed from error

    def receive(self) -> bytes:
        """The next message.

        Raises:
            Closed, Overdue: there is none. Malformed: it is too long, or more follows though nobody asked.
        """
        self._fill(_HEADER.size)
        (length,) = _HEADER.unpack_from(self._pending)
        if length > MAX_MESSAGE:
            raise Malformed(f"a message of {length:,} bytes, more than {MAX_MESSAGE:,}")
        self._fill(_HEADER.size + length)
        if len(self._pending) > _HEADER.size + length:
            raise Malformed("more than one message at once")
        message = bytes(memoryview(self._pending)[_HEADER.size :])
        self._pending = bytearray()
        return message

    def _fill(self, length: int) -> None:
        while len(self._pending) < length:
            try:
                data = os.read(self._read_from, _CHUNK)
            except BlockingIOError:
                self._wait(self._read_from, select.POLLIN)
                continue
            except ConnectionError as error:
                raise Closed from error
            if not data:
                raise Closed
            self._pending += data

    def _wait(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise Overdue
