# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""One program's process, watched: its clocks, its threads, and how it ended."""

import os
import signal
import time
from typing import Any

_MAX_THREADS = 256


class Child:
    """One program's process, and what it has used so far."""

    def __init__(self, pid: int, limits: dict[str, float], directory: int) -> None:
        self.pid = pid
        self.descriptor = os.pidfd_open(pid)
        self.limits = limits
        self.started = time.monotonic()
        self.killed_for = ""
        self.waited = 0.0
        self._directory = directory

    def watch(self) -> None:
        """Ends the process where it has used up what it may."""
        wall = time.monotonic() - self.started
        cpu = self.cpu_seconds()
        if cpu > self.limits["cpu_seconds"]:
            self.kill("cpu")
        elif wall > self.limits["wall_seconds"]:
            self.kill("wall")
        elif wall - cpu > self.limits["idle_seconds"] and self._idle(wall, cpu) > self.limits["idle_seconds"]:
            self.kill("idle")
        elif self._num_threads() > _MAX_THREADS:
            self.kill("threads")

    def kill(self, reason: str) -> None:
        """Ends the process, for a reason that is told once."""
        self.killed_for = self.killed_for or reason
        signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)

    def cpu_seconds(self) -> float:
        """Processor time of all its threads."""
        try:
            # The kernel's number for the processor clock of another process.
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

    def reap(self) -> dict[str, Any]:
        """How it ended."""
        wall = time.monotonic() - self.started
        _, status, usage = os.wait4(self.pid, 0)
        os.close(self.descriptor)
        return {
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "killed_for": self.killed_for,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "wall_seconds": wall,
        }

    def _idle(self, wall: float, cpu: float) -> float:
        """Seconds in which it neither ran nor waited for a processor."""
        waited = 0.0
        for thread in self._listed("task"):
            fields = self._read(f"task/{thread}/schedstat").split()
            waited += int(fields[1]) / 1e9 if len(fields) > 1 else 0.0
        # Threads that are gone are not counted any more, but what they waited was so.
        self.waited = max(self.waited, waited)
        return wall - cpu - self.waited

    def _num_threads(self) -> int:
        fields = self._read("stat").rpartition(")")[2].split()
        return int(fields[17]) if len(fields) > 17 else 0

    def _listed(self, name: str) -> list[str]:
        try:
            where = os.open(f"{self.pid}/{name}", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._directory)
        except OSError:
            return []
        try:
            return os.listdir(where)
        finally:
            os.close(where)

    def _read(self, name: str) -> str:
        try:
            where = os.open(f"{self.pid}/{name}", os.O_RDONLY, dir_fd=self._directory)
        except OSError:
            return ""
        try:
            return os.read(where, 4096).decode()
        except OSError:
            return ""
        finally:
            os.close(where)
