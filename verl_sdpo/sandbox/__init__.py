# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs programs that a model wrote, so that they can neither harm this machine nor win what they did not earn.

``run`` is the whole of it for scripts; rewards use ``sandbox_for``. Each program runs in a process of its own, forked
from an interpreter that was started clean and warmed up once, and is judged from outside of it.

What is covered, always:
    answers     expected outputs never enter a process that runs a program, so it can only compute them
    verdicts    made outside, of what the kernel says; a program can write its output and nothing else
    processes   no new process, no other program, no signal to any process but its own; threads up to a number
    network     no sockets, but for a pair within the process
    resources   processor time, time asleep, address space beyond the warm interpreter's, output, files, descriptors
    secrets     no environment variables, no open files of the caller's, no memory of it: it is no fork of the caller
    afterwards  the process is dead and its temporary directory gone, also where the caller dies

What is covered by layers that some machines lack (``python -m verl_sdpo.sandbox doctor`` tells; a required layer that
is missing is a refusal):
    files       only Python's library, system libraries and the temporary directory can be opened: by Landlock, or by
                a file tree of its own in a mount namespace; both where both can be had
    identity    another user id, where the caller is the superuser; else the caller's own without privileges
    sight       no other process, no network device, no shared memory: by namespaces

With ``backend="sandbox_fusion"`` a server runs the programs, and only what is said of answers and verdicts holds: the
rest is the server's (``verl_sdpo.sandbox.sandbox_fusion``).

What is not covered:
    faults of the kernel or of Python that let a program past the system-call filter
    side channels: time, the load of processors, caches
    system libraries and, without namespaces, names in Python's library directory can be read: no secrets, as a rule
    without namespaces the temporary directory's size is looked at every 20 ms, so more can be written for a moment
    a program may print what it likes: feedback made of it must be cleaned (``verl_sdpo.rewards`` does)
"""

from collections.abc import Callable
from functools import cache

from verl_sdpo.sandbox.bubblewrap import BubblewrapSandbox
from verl_sdpo.sandbox.interface import Sandbox
from verl_sdpo.sandbox.layers import Layers, SandboxRefused
from verl_sdpo.sandbox.limits import Limits
from verl_sdpo.sandbox.local import LocalSandbox
from verl_sdpo.sandbox.result import ExecutionResult, Status
from verl_sdpo.sandbox.sandbox_fusion import FusionSandbox
from verl_sdpo.sandbox.settings import SandboxSettings

__all__ = [
    "ExecutionResult",
    "Layers",
    "Limits",
    "LocalSandbox",
    "Sandbox",
    "SandboxRefused",
    "SandboxSettings",
    "Status",
    "run",
    "sandbox_for",
]

_BACKENDS: dict[str, Callable[[SandboxSettings], Sandbox]] = {
    "local": LocalSandbox,
    "bubblewrap": BubblewrapSandbox,
    "sandbox_fusion": FusionSandbox,
}


def run(
    program: str, stdin: str | bytes = b"", limits: Limits | None = None, settings: SandboxSettings | None = None
) -> ExecutionResult:
    """Runs a Python program in isolation and says what came of it. Safe to call from threads.

    Args:
        program: Python source; any text at all.
        stdin: what it reads from standard input.
        limits: what it may use; ``Limits()`` where not given.
        settings: of the isolation; ``SandboxSettings()`` where not given.

    Raises:
        SandboxRefused: this machine lacks a layer that the settings require.
    """
    data = stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin
    return sandbox_for(settings or SandboxSettings()).run_script(program, data, limits or Limits())


@cache
def sandbox_for(settings: SandboxSettings) -> Sandbox:
    """The sandbox of this process with some settings: one, whoever asks."""
    return _BACKENDS[settings.backend](settings)
