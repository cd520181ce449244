# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The temporary directory that each program finds empty."""

import os

import namespaces


class Scratch:
    """The programs' temporary directory: a file system of its own, or else a directory that is watched."""

    def __init__(self, fallback: str, owner: int, is_mounted: bool) -> None:
        """A directory for the processes of one user id.

        Args:
            fallback: directory to use where no file system can be mounted.
            owner: the user id.
            is_mounted: whether this process has a file tree of its own to mount one in.
        """
        self.path = namespaces.SCRATCH if is_mounted else fallback
        self._owner = owner
        self._is_mounted = is_mounted
        self._size = (0, 0)
        if not is_mounted:
            os.chown(fallback, owner, -1)

    def prepare(self, num_bytes: int, num_files: int) -> None:
        """Makes it empty, and as large as wanted."""
        if not self._is_mounted:
            for entry in os.scandir(self.path):
                os.unlink(entry.path)
        elif self._size != (num_bytes, num_files) or os.listdir(self.path):
            namespaces.mount_scratch(self._owner, num_bytes, num_files)
        self._size = (num_bytes, num_files)

    def is_full(self) -> bool:
        """Whether a program wrote all that there is room for, or more where only this watch hinders it."""
        if self._is_mounted:
            state = os.statvfs(self.path)
            return state.f_bfree == 0 or state.f_ffree == 0
        total = count = 0
        for entry in os.scandir(self.path):
            count += 1
            try:
                total += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
        return total >= self._size[0] or count >= self._size[1]
