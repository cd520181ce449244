# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A world of its own: no network, no other processes, and a file tree that has only what Python needs.

Made once, before any program is run; programs share it one after the other. Nothing of one is left for the next: all
of the tree is read-only but for the temporary directory, and that is a new file system after each that wrote to it.
"""

import os
from collections.abc import Iterable

import syscalls

_NEW_MOUNTS, _NEW_USER, _NEW_OTHERS = 0x00020000, 0x10000000, 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH = 2
# Flags that a user namespace may not take off a mount, as statvfs reports them.
_KEPT_FLAGS = _READ_ONLY | _NO_SUID | _NO_DEVICES | _NO_EXEC | 1024 | 2048
# The parent is the root's own, read-only; file rules for it hold for whatever is mounted in it.
SCRATCH_PARENT = "/scratch"
SCRATCH = f"{SCRATCH_PARENT}/tmp"


def enter() -> None:
    """Leaves the caller in new namespaces; its next child is the first process of a new world.

    A user namespace is used only where the caller may not make the others itself.

    Raises:
        OSError: the machine does not allow it.
    """
    try:
        syscalls.call("unshare", _NEW_MOUNTS | _NEW_OTHERS)
        return
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        syscalls.call("unshare", _NEW_USER | _NEW_MOUNTS | _NEW_OTHERS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def build_root(place: str, readable: Iterable[str], listable: str) -> int:
    """Makes a tree with some paths, read-only, the root of this process and of all its children.

    Args:
        place: an empty directory to make it in.
        readable: files and directories, each at the same place in the new tree.
        listable: a directory that some of them are in, whose names may be read: imports look for their modules so.

    Returns:
        A descriptor of ``/proc`` with the new world's processes; programs do not get it.

    Raises:
        OSError: the machine does not allow it.
    """
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", place, "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,nr_inodes=4096,mode=111")
    # Directories of the tree itself can be gone through, and not listed.
    os.umask(0o666)
    # Sorted, so that a directory is there before something is mounted in it.
    for path in sorted(set(readable)):
        _bind(path, place + path)
    for name in ("/proc", "/old", SCRATCH):
        os.makedirs(place + name, exist_ok=True)
    os.umask(0o022)
    os.chmod(place + listable, 0o555)
    _mount("proc", f"{place}/proc", "proc", _NO_SUID | _NO_DEVICES | _NO_EXEC)
    processes = os.open(f"{place}/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    _call("umount2", f"{place}/proc", _DETACH)
    os.chdir(place)
    _call("pivot_root", ".", "old")
    os.chdir("/")
    _call("umount2", "/old", _DETACH)
    os.rmdir("/old")
    os.rmdir("/proc")
    _mount("none", "/", None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES)
    return processes


def mount_scratch(owner: int, num_bytes: int, num_files: int) -> None:
    """A new, empty temporary directory, in place of the last.

    Raises:
        OSError: the kernel refused.
    """
    if os.path.ismount(SCRATCH):
        _call("umount2", SCRATCH, _DETACH)
    # One more for the directory itself.
    options = f"size={num_bytes},nr_inodes={num_files + 1},mode=700,uid={owner},gid={owner}"
    _mount("tmpfs", SCRATCH, "tmpfs", _NO_SUID | _NO_DEVICES | _NO_EXEC, options)


def _bind(path: str, place: str) -> None:
    if os.path.lexists(place):
        return  # a part of what is mounted already
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(path):
        os.mkdir(place)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(path, place, None, _BIND)
    kept = os.statvfs(place).f_flag & _KEPT_FLAGS
    devices = 0 if path.startswith("/dev/") else _NO_DEVICES
    _mount("none", place, None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | devices | kept)


def _mount(source: str, place: str, kind: str | None, flags: int, options: str = "") -> None:
    kind_bytes = None if kind is None else os.fsencode(kind)
    try:
        syscalls.call("mount", os.fsencode(source), os.fsencode(place), kind_bytes, flags, os.fsencode(options))
    except OSError as error:
        raise OSError(error.errno, f"mount {place}: {os.strerror(error.errno)}") from error


def _call(name: str, path: str, argument: int | str) -> None:
    syscalls.call(name, os.fsencode(path), os.fsencode(argument) if isinstance(argument, str) else argument)
