# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Tries on this machine what programs must not be able to do, and a few things that they must."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from verl_sdpo.sandbox.interface import Sandbox
from verl_sdpo.sandbox.layers import Layers, SandboxRefused
from verl_sdpo.sandbox.limits import MIB, Limits
from verl_sdpo.sandbox.result import ExecutionResult, Status

_LIMITS = Limits(cpu_seconds=0.2, idle_seconds=0.2, output_bytes=MIB, memory_mib=256)


class Canary(NamedTuple):
    """A program, and what must come of it."""

    name: str
    source: str
    is_as_wanted: Callable[[ExecutionResult], bool]


class Finding(NamedTuple):
    """What came of a canary."""

    name: str
    is_as_wanted: bool
    told: str


def _prints(text: bytes) -> Callable[[ExecutionResult], bool]:
    return lambda result: result.status == Status.FINISHED and result.stdout.split() == text.split()


def _fails(result: ExecutionResult) -> bool:
    """It ended with an error of its own, before it could print anything."""
    return result.status == Status.RUNTIME_ERROR and not result.stdout


def _ends_by(status: Status) -> Callable[[ExecutionResult], bool]:
    return lambda result: result.status == status


def canaries(packages: tuple[str, ...]) -> Iterator[Canary]:
    """The canaries; some name this process, which they must not reach."""
    yield Canary("adds numbers", "print(sum(map(int, input().split())))", _prints(b"3"))
    yield Canary("uses its directory", "open('f', 'w').write('5')\nprint(open('f').read())", _prints(b"5"))
    yield Canary("imports what is not warm", "import xml.etree.ElementTree, sqlite3\nprint(1)", _prints(b"1"))
    for name in packages:
        yield Canary(f"imports {name}, if installed", f"import {name}\nprint(1)", lambda result: True)
    yield Canary("reads no file of the machine", "print(open('/etc/passwd').read())", _fails)
    yield Canary("reads no code of ours", f"print(open({__file__!r}).read())", _fails)
    yield Canary("writes no file elsewhere", "print(open('/tmp/verl_sdpo_canary', 'w'))", _fails)
    yield Canary("has no environment", "import os\nprint(len(os.environ))", _prints(b"0"))
    yield Canary("opens no socket", "import socket\nprint(socket.socket())", _fails)
    yield Canary("starts no process", "import os\nprint(os.fork())", _fails)
    yield Canary("starts no other program", "import subprocess\nprint(subprocess.run(['true']))", _fails)
    yield Canary("signals nobody", f"import os\nos.kill({os.getpid()}, 0)\nprint(1)", _fails)
    yield Canary("is ended when it loops", "while True: pass", _ends_by(Status.TIME_LIMIT))
    yield Canary("is ended when it sleeps", "import time\ntime.sleep(60)", _ends_by(Status.TIME_LIMIT))
    yield Canary("gets no more memory", "x = bytearray(2 ** 31)\nprint(1)", _ends_by(Status.MEMORY_LIMIT))
    yield Canary("writes no more output", "while True: print('x' * 9999)", _ends_by(Status.OUTPUT_LIMIT))


def examine(sandbox: Sandbox, packages: tuple[str, ...]) -> list[Finding]:
    """Runs all canaries.

    Raises:
        SandboxRefused: no program can be run under the settings.
    """
    return _examine(sandbox, list(canaries(packages)))


def _examine(sandbox: Sandbox, chosen: Sequence[Canary]) -> list[Finding]:
    sandbox.layers()
    findings = []
    for canary in chosen:
        result = sandbox.run_script(canary.source, b"1 2\n", _LIMITS)
        last = result.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        told = result.reason or last or result.stdout[:60].decode("utf-8", "replace").strip()
        findings.append(Finding(canary.name, canary.is_as_wanted(result), f"{result.status}: {told}"[:90]))
    return findings


def check_machine(sandbox: Sandbox, packages: tuple[str, ...]) -> Layers:
    """Refuses a machine on which a canary does not come out as wanted.

    One that fails is run once more: their limits are fractions of a second, which a busy machine may use up.

    A server that runs programs isolates them in its own way: it is only asked whether it runs any.

    Returns:
        The layers in force.

    Raises:
        SandboxRefused: which canaries failed and what came of them, or that no program can be run.
    """
    layers = sandbox.layers()
    if layers.server:
        return layers
    failed = {finding.name for finding in examine(sandbox, packages) if not finding.is_as_wanted}
    # Another text: of the same program the sandbox has kept what came of it.
    again = [canary._replace(source=f"{canary.source}\n") for canary in canaries(packages) if canary.name in failed]
    faults = [finding for finding in _examine(sandbox, again) if not finding.is_as_wanted]
    if faults:
        told = "; ".join(f"{finding.name!r} came out as {finding.told!r}" for finding in faults)
        raise SandboxRefused(
            f"the sandbox is not sound on this machine: {told}. In force: {layers}. See python -m "
            "verl_sdpo.sandbox doctor"
        )
    return layers


def report(sandbox: Sandbox, packages: tuple[str, ...]) -> tuple[str, bool]:
    """The table that ``doctor`` prints, and whether all is as wanted.

    Raises:
        SandboxRefused: no program can be run under the settings.
    """
    begun = time.perf_counter()
    findings = examine(sandbox, packages)
    seconds = time.perf_counter() - begun
    width = max(len(finding.name) for finding in findings)
    lines = [f"{'ok' if is_ok else 'FAILED':6}  {name:{width}}  {told}" for name, is_ok, told in findings]
    is_sound = all(finding.is_as_wanted for finding in findings)
    verdict = "sound" if is_sound else "NOT sound: do not run programs of a model here"
    return "\n".join([f"in force: {sandbox.layers()}", *lines, f"{verdict}; {seconds:.2f} s"]), is_sound
