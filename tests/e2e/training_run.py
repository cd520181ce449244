# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Starting and killing whole training runs from a test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

# Every process of a run inherits it; what a killed driver leaves behind is found by it.
_MARK = "VERL_SDPO_TEST_RUN"


class TrainingRun:
    """`python -m verl_sdpo.main_sdpo <overrides>`, or another module, in a process of its own, its output in a file."""

    def __init__(
        self,
        overrides: list[str],
        log: Path,
        environment: dict[str, str] | None = None,
        working_directory: Path | None = None,
        module: str = "verl_sdpo.main_sdpo",
        config: str = "sdpo_trainer_cpu",
    ) -> None:
        self.log = log
        self._mark = uuid.uuid4().hex
        environment = os.environ | {"HF_HUB_OFFLINE": "1", _MARK: self._mark} | (environment or {})
        command = [sys.executable, "-m", module, "--config-name", config, *overrides]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=working_directory,
                start_new_session=True,
            )

    def wait(self, timeout: float) -> int:
        """Exit status; on a timeout the run is killed."""
        try:
            return self._process.wait(timeout)
        finally:
            self._kill_all()

    def kill_when(self, condition: Callable[[], bool], timeout: float) -> None:
        """SIGKILL to every process of the run, driver and workers, as soon as the condition holds."""
        deadline = time.monotonic() + timeout
        try:
            while not condition():
                assert self._process.poll() is None, f"the run ended by itself:\n{self.tail()}"
                assert time.monotonic() < deadline, f"nothing to kill after {timeout} s:\n{self.tail()}"
                time.sleep(0.02)
        finally:
            self._kill_all()

    def is_running(self) -> bool:
        return self._process.poll() is None

    def processes(self) -> list[psutil.Process]:
        """Those of the run that have its environment: the driver and Ray's, not what the sandbox starts clean."""
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def wait_until(self, condition: Callable[[], bool], timeout: float) -> None:
        """Until the condition holds; if the run ends before, or it takes longer, all of it is killed."""
        deadline = time.monotonic() + timeout
        try:
            while not condition():
                assert self._process.poll() is None, f"the run ended by itself:\n{self.tail()}"
                assert time.monotonic() < deadline, f"it did not come to that in {timeout} s:\n{self.tail()}"
                time.sleep(0.02)
        except BaseException:
            self._kill_all()
            raise

    def send(self, number: int) -> None:
        """A signal to the driver alone."""
        self._process.send_signal(number)

    def end(self, timeout: float) -> tuple[int, list[str]]:
        """Exit status, and the command lines of processes of the run that are there a second after it; both killed."""
        try:
            status = self._process.wait(timeout)
            time.sleep(1)
            return status, [" ".join(process.cmdline())[:100] for process in self.processes()]
        finally:
            self._kill_all()

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _kill_all(self) -> None:
        for _ in range(50):
            mine = self.processes()
            if not mine:
                break
            for process in mine:
                with_signal(process.pid, signal.SIGKILL)
            time.sleep(0.1)
        if self._process.poll() is None:
            self._process.wait(10)

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            return not is_dead and process.environ().get(_MARK) == self._mark
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


def with_signal(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
