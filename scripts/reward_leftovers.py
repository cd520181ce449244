# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What is left after many short programs of all kinds: processes, open descriptors, files; and runs that took long."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from reward_row import Row, Scale, of_total
from reward_verdicts import fresh_sandbox, processors

from verl_sdpo.sandbox import ExecutionResult, Limits, LocalSandbox, Status

_PR_SET_CHILD_SUBREAPER = 36
LIMITS = Limits(cpu_seconds=0.2, idle_seconds=0.15, wall_seconds=4.0, memory_mib=128, output_bytes=2**18, num_files=20)
GRACE_SECONDS = 1.0
# In which what was ended has to be gone.
END_SECONDS = 2.0
# How often each is run; those that end by a limit take as long as it, so they are fewer.
SHORT = [
    "print(sum(range(1000)))",
    "print('x' * 100_000)",
    "1 / 0",
    "import os\nos.abort()",
    "import ctypes\nctypes.string_at(0)",
    "def f(:",
    "exit(3)",
    "for i in range(10): open(f'file{i}', 'w').write('x' * 1000)",
    "import os\nos.makedirs('a/b/c/d')\nos.symlink('/', 'a/link')\nos.chmod('a', 0)",
    "import time\ntime.sleep(0.01)",
    "import threading\nthreading.Thread(target=print, args=('x',)).start()",
    "import os, tempfile\nfiles = [tempfile.TemporaryFile() for _ in range(5)]\nos._exit(0)",
]
LIMITED = [
    "while True: pass",
    "import time\ntime.sleep(60)",
    "while True: print('x' * 1000)",
    "x = bytearray(2 ** 30)",
    "for i in range(1000): open(f'file{i}', 'w').write('x')",
    "import threading\nthreading.Thread(target=threading.Event().wait).start()",
]
SHORT_TO_LIMITED = 4


class Trace(NamedTuple):
    """What of this process can be counted from outside of it."""

    processes: int
    descriptors: int
    files: int

    def more_than(self, other: Trace) -> Trace:
        return Trace(*(one - before for one, before in zip(self, other, strict=True)))

    def __str__(self) -> str:
        return f"{self.processes:+d} processes, {self.descriptors:+d} descriptors, {self.files:+d} files"


class Ended(NamedTuple):
    """One run: how it ended, and its wall time as the caller sees it."""

    status: Status
    seconds: float


def leftover_rows(scale: Scale) -> list[Row]:
    """Rows on what is left beside the warm sandbox, and after it, and on runs that were not over in time."""
    with own_temporary_folder() as folder, own_orphans():
        before = trace(folder)
        with fresh_sandbox() as sandbox:
            start_all(sandbox)
            warm = trace(folder)
            ended = run_mixed(sandbox, scale.runs)
            during = trace(folder).more_than(warm)
        reap_orphans()
        after = trace(folder).more_than(before)
    statuses = collections.Counter(str(each.status) for each in ended)
    late = [f"{each.seconds:.1f} s" for each in ended if each.seconds > LIMITS.wall_seconds + GRACE_SECONDS]
    longest = max(each.seconds for each in ended)
    figures = {"statuses": statuses, "beside": during._asdict(), "after": after._asdict(), "longest": longest}
    reached = f"beside the sandbox {during}; after it {after}"
    in_time = f"{of_total(late, len(ended))}; the longest {longest:.2f} s"
    failed = statuses[Status.SANDBOX_ERROR]
    return [
        Row("leftovers", f"left after {len(ended):,} runs", "0", reached, not any((*during, *after)), figures),
        Row("leftovers", "runs not over 1 s after their wall limit", "0", in_time, not late, {"late": late}),
        Row("leftovers", "runs without a verdict", "0", f"{failed} of {len(ended):,}", failed == 0, {}),
    ]


def run_mixed(sandbox: LocalSandbox, count: int) -> list[Ended]:
    """Runs programs of all kinds on all slots at once; nothing waits for a slot."""
    with ThreadPoolExecutor(processors()) as pool:
        return list(pool.map(lambda job: timed(job, sandbox), itertools.islice(jobs(), count)))


def jobs() -> Iterator[Callable[[LocalSandbox], ExecutionResult]]:
    """Without end; no two are the same, so none is answered from results that were kept."""
    limited = itertools.cycle(LIMITED)
    for number in itertools.count():
        for _ in range(SHORT_TO_LIMITED):
            for source in SHORT:
                yield script_job(f"{source}  # {next(_numbers)}")
        yield script_job(f"{next(limited)}  # {number}")
        yield call_job(f"def f(x): return [x] * 3  # {number}")
        yield asserts_job(f"def f(x): return x  # {number}")


_numbers = itertools.count()


def script_job(source: str) -> Callable[[LocalSandbox], ExecutionResult]:
    return lambda sandbox: sandbox.run_script(source, b"1\n", LIMITS)


def call_job(source: str) -> Callable[[LocalSandbox], ExecutionResult]:
    return lambda sandbox: sandbox.run_call(source, "", "f", "[1]", LIMITS)


def asserts_job(source: str) -> Callable[[LocalSandbox], ExecutionResult]:
    return lambda sandbox: sandbox.run_asserts(source, "", "f", "assert f(1) == 1\nassert f(2) == 3", LIMITS)[0]


def timed(job: Callable[[LocalSandbox], ExecutionResult], sandbox: LocalSandbox) -> Ended:
    begun = time.perf_counter()
    status = job(sandbox).status
    return Ended(status, time.perf_counter() - begun)


def start_all(sandbox: LocalSandbox) -> None:
    """Starts the interpreters of all slots, by programs that are at work at the same time."""
    sandbox.layers()
    source = "import time\ntime.sleep(0.1)  # {}"
    for _ in range(3):
        with ThreadPoolExecutor(processors()) as pool:
            list(pool.map(lambda _: script_job(source.format(next(_numbers)))(sandbox), range(processors())))


def trace(folder: Path) -> Trace:
    files = sum(len(folders) + len(names) for _, folders, names in os.walk(folder))
    return Trace(len(descendants()), len(os.listdir("/proc/self/fd")), files)


def descendants() -> list[int]:
    """Processes under this one, dead ones that nobody asked for included."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = (
                Path("/proc", name, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
            parents[int(name)] = int(fields[1])
    found = [os.getpid()]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def reap_orphans() -> None:
    """Does what the machine's first process does: takes leave of those that lost their parent and have ended."""
    deadline = time.monotonic() + END_SECONDS
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)


@contextlib.contextmanager
def own_orphans() -> Iterator[None]:
    """Makes what loses its parent a child of this process, so that it is counted."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextlib.contextmanager
def own_temporary_folder() -> Iterator[Path]:
    """Where temporary files go meanwhile; others on the machine use the usual one."""
    usual = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="bench_rewards_") as name:
        os.chmod(name, 0o755)  # programs may have another user's id
        tempfile.tempdir = name
        try:
            yield Path(name)
        finally:
            tempfile.tempdir = usual
