# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a program's process gives up before the program starts, in the order in which it can be given up."""

import ctypes
import math
import os
import resource
from typing import NamedTuple

import landlock
import seccomp
import syscalls

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9
_PR_SET_KEEPCAPS = 8
_CAPABILITY_VERSION = 0x20080522
_MAY_READ_ALL = 1 << 2  # CAP_DAC_READ_SEARCH
MAX_DESCRIPTORS = 64


class Confinement(NamedTuple):
    """What the machine allows, settled once."""

    ruleset: int | None  # Landlock's, or None
    user: int | None  # to become, or None where the process may not change it
    # Keep the privilege to read what that user may not: Python's own library in somebody's home. The file rules hold.
    keeps_reading: bool = False


def give_up(confinement: Confinement) -> None:
    """Puts on the layers that are the same for every program, for good; copies of the process have them too.

    Raises:
        OSError: a layer could not be put on: no program must start.
    """
    os.setsid()
    if confinement.user is not None:
        become(confinement.user, keeps_reading=confinement.keeps_reading)
    _keep_capabilities(_MAY_READ_ALL if confinement.keeps_reading else 0)
    # After the change of the user, which would take it off.
    syscalls.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    syscalls.prctl(_PR_SET_DUMPABLE, 0)
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if confinement.ruleset is not None:
        landlock.restrict(confinement.ruleset)
        os.close(confinement.ruleset)


def restrict() -> None:
    """Puts the system-call filter on, for good; after it, limits cannot be set any more.

    Raises:
        OSError: the kernel refused: the program must not start.
    """
    seccomp.restrict(os.getpid())


def become(user: int, *, keeps_reading: bool = False) -> None:
    """Makes the calling process another user's, for good; it must be the superuser's.

    Raises:
        OSError: the id is not one of this container's.
    """
    syscalls.prctl(_PR_SET_KEEPCAPS, int(keeps_reading))
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _keep_capabilities(kept: int) -> None:
    # struct __user_cap_header_struct, then effective, permitted and inheritable, low words before high ones.
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    syscalls.call("capset", header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0))


def limit(cpu_seconds: float, memory_bytes: int, file_bytes: int) -> None:
    """Bounds what the calling process may use.

    Args:
        cpu_seconds: of processor time; a backstop behind the watch that the parent keeps.
        memory_bytes: of address space, all in all.
        file_bytes: that it may write to one file.
    """
    seconds = math.ceil(cpu_seconds) + 1
    for name, soft, hard in (
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS, MAX_DESCRIPTORS),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
    ):
        most = resource.getrlimit(name)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(name, (soft, hard))
