# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Temporary files of a run: their names, who holds them, and what becomes of those that a killed run left behind."""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def temporary_path(target: Path) -> Path:
    """Where this process writes what is to become ``target``."""
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def backup_path(target: Path) -> Path:
    """Where this process keeps the earlier ``target`` until all of its files are in place."""
    return target.with_name(f".{target.name}.{os.getpid()}.old")


def hold(file: BinaryIO) -> None:
    """Marks an open file as that of a living process; the mark goes when the file is closed or the process dies."""
    # A file system without locks: nobody will take the file for a dead run's, since it cannot be asked.
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear(target: Path) -> list[str]:
    """Removes what killed runs left of ``target``, and says so, a sentence for each file.

    A backup is put back where the run was killed before it had replaced ``target``. Files whose run may be alive, here
    or on another machine that shares the folder, are let be.
    """
    told = []
    for path, pid, kind in _leftovers(target):
        # A run moves the file that it holds from its temporary name onto the target, and only then needs no backup.
        if _is_alive(pid) or not all(map(_is_free, (path, path.with_suffix(".tmp"), target))):
            continue
        # Another run may have been faster, and what cannot be removed does no harm.
        with contextlib.suppress(OSError):
            if kind == "old" and not target.exists():
                os.replace(path, target)
                told.append(f"{path.name}, left by a run that was killed, is {target.name} again")
            else:
                path.unlink()
                told.append(f"{path.name}, left by a run that was killed, was removed")
    return told


def _leftovers(target: Path) -> Iterator[tuple[Path, int, str]]:
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)\.(tmp|old)")
    names = sorted(os.listdir(target.parent)) if target.parent.is_dir() else []
    for match in filter(None, map(pattern.fullmatch, names)):
        path = target.parent / match[0]
        if path.is_file() and not path.is_symlink():
            yield path, int(match[1]), match[2]


def _is_alive(pid: int) -> bool:
    """Whether a process of that number runs on this machine; our own number was another's, in a container say."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True


def _is_free(path: Path) -> bool:
    """Whether nobody holds the file, as far as its file system can tell."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
