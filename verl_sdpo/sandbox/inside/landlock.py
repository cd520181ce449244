# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which files a program may open: Landlock rules, which need no privilege (Linux 5.13 and later)."""

import os
import struct
from collections.abc import Iterable

import syscalls

_GET_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 5
_MAKE_REGULAR, _TRUNCATE = 1 << 8, 1 << 14
# How many rights over files each version of the interface knows.
_NUM_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_RIGHTS = 0b11  # bind and connect TCP, from version 4
_SCOPES = 0b11  # abstract sockets and signals, from version 6
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_ONLY = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE


def version() -> int:
    """The version of the kernel's interface; 0 where it has none or it is switched off."""
    try:
        return syscalls.call("landlock_create_ruleset", None, 0, _GET_VERSION)
    except OSError:
        return 0


def make_ruleset(readable: Iterable[str], listable: str, writable: str) -> int:
    """Rules that allow reading beneath some paths and files in one directory, and refuse everything else.

    Args:
        readable: files and directories, which exist.
        listable: directory whose names may be read, and those beneath it; imports look for their modules so.
        writable: directory in which files may be made, written and removed.

    Returns:
        The descriptor that ``restrict`` takes.

    Raises:
        OSError: the kernel refused.
    """
    level = version()
    handled = (1 << _NUM_FILE_RIGHTS.get(level, 16)) - 1
    attributes = struct.pack("Q", handled)
    if level >= 4:
        attributes += struct.pack("Q", _NETWORK_RIGHTS)
    if level >= 6:
        attributes += struct.pack("Q", _SCOPES)
    ruleset = syscalls.call("landlock_create_ruleset", attributes, len(attributes), 0)
    for path in readable:
        _allow(ruleset, path, _READ & handled)
    _allow(ruleset, listable, _READ_DIR)
    write = _READ_FILE | _READ_DIR | _WRITE_FILE | _REMOVE_FILE | _MAKE_REGULAR | _TRUNCATE
    _allow(ruleset, writable, write & handled)
    return ruleset


def restrict(ruleset: int) -> None:
    """Puts rules on the calling thread, for good; it must not be able to gain privileges any more.

    Raises:
        OSError: the kernel refused.
    """
    syscalls.call("landlock_restrict_self", ruleset, 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    where = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):
            rights &= _FILE_ONLY
        # struct landlock_path_beneath_attr, which is packed.
        rule = struct.pack("=Qi", rights, where)
        syscalls.call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(where)
