# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""An interpreter's folder for files on the machine, and those that killed processes have left.

With namespaces programs' files are in memory and end with them: the folder, where that memory is mounted, stays empty.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_PREFIX = "verl_sdpo_sandbox_"
# For one that was made just now to be locked by its owner.
_SECONDS_TO_LOCK = 10.0


class ScratchFolder:
    """A new folder that this process's user alone may read; locked as long as this process, or a fork of it, lives."""

    def __init__(self) -> None:
        _remove_abandoned()
        self.path = tempfile.mkdtemp(prefix=_PREFIX)
        os.chmod(self.path, 0o700)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        """To be called once nothing writes there any more."""
        _remove(self.path)
        os.close(self._lock)


def _remove_abandoned() -> None:
    """Remove the folders of this user whose owners are dead: nobody has a lock on them."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Somebody else may be at it too, or own it.
        with suppress(OSError):
            if path.is_symlink() or time.time() - path.stat().st_mtime < _SECONDS_TO_LOCK:
                continue
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(folder).st_uid == os.geteuid():
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(path)
            finally:
                os.close(folder)


def _remove(path: str | Path) -> None:
    for entry in os.scandir(path):
        os.unlink(entry.path)
    os.rmdir(path)
