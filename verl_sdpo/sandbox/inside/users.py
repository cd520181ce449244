# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which user id programs can be given."""

import errno
import os
from collections.abc import Callable

import isolate
from warm import LIBRARY


def usable(users: list[int]) -> int:
    """The first of some user ids that a process here can take.

    Raises:
        OSError: none of them.
    """
    for user in users:
        if can(user, lambda: None):
            return user
    raise OSError(errno.EPERM, "programs need another user id than the superuser's, and none can be taken")


def can(user: int, action: Callable[[], object]) -> bool:
    """Whether a process of some user's can do something; tried in one."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    try:
        isolate.become(user)
        action()
        os._exit(0)
    except BaseException:
        os._exit(1)


def read_library() -> None:
    os.listdir(LIBRARY)
    with open(os.__file__, "rb") as file:
        file.read(1)
