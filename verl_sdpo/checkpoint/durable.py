# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Writing so that it is on the disk, or not there at all: after a kill, and after a power cut."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Hashing lets go of the interpreter's lock; more threads than this wait for the disk.
_THREADS = 8
_BLOCK = 1 << 20


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk: without it a renamed file may have its old name after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a small file or replace it: whoever reads it sees the old text or the new one, whole."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    sync_folder(path.parent)


def sha256_of(path: Path, sync: bool = False) -> str:
    """Hash of a file's bytes; with `sync` they are on the disk when it returns."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
        if sync:
            os.fsync(file.fileno())
    return digest.hexdigest()


def hashes_of(paths: Iterable[Path], sync: bool = False) -> dict[Path, str]:
    """`sha256_of` each of them, several at a time."""
    paths = list(paths)
    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(zip(paths, threads.map(lambda path: sha256_of(path, sync), paths), strict=True))


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and its folders, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def sync_folders_below(folder: Path) -> None:
    """`sync_folder` for a folder and all folders in it, the innermost first."""
    for parent, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(parent))
