# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Runs one command of a recipe and keeps its folder's record: what it is, how it goes, what it said.

    python -m recipe.run_record --run DIR --experiment science_qa --task chemistry --model NAME --method sdpo -- COMMAND

writes into DIR `run.json` (what the run is), `status.json` (running, finished or failed), `log.txt` (all that the
command prints, of every start) and `metrics.jsonl` (verl's file logger, of all starts together). A run that has
finished is not started again, unless RERUN=1. SIGTERM and SIGINT reach the command once each, SIGHUP (a closed
terminal) as SIGTERM, unless nohup ignores it; what was stopped so has the exit status 143, 130 or 129 and counts as
failed, since it is to be started again. When the command has ended, what it left in its process group is ended too.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recipe.run_metrics import METRICS, join_metrics, put_metrics_aside
from verl_sdpo.checkpoint.durable import write_whole

RUN, STATUS, LOG = "run.json", "status.json", "log.txt"
_LOCK = ".lock"
_LOCK_SECONDS = 1.0
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TAIL_LINES = 20
# For processes that the command has left, before they are killed.
_GRACE_SECONDS = 10.0


def main() -> None:
    separator = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    for name in ("experiment", "task", "model", "method"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--variant", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true")
    facts = vars(parser.parse_args(sys.argv[1:separator]))
    command = sys.argv[separator + 1 :]
    if not command:
        parser.error("no command: write it after --")
    folder = facts.pop("run")
    try:
        sys.exit(run(folder, facts, command, again=os.environ.get("RERUN") == "1"))
    except (Finished, Busy) as reason:
        print(reason)
        sys.exit(0 if isinstance(reason, Finished) else 1)


class Finished(Exception):
    """The run needs no start."""


class Busy(Exception):
    """Another process has the run's folder."""


def run(folder: Path, facts: dict[str, Any], command: list[str], *, again: bool = False) -> int:
    """Run the command to its end and return its exit status, 128 + n if signal n asked it to end.

    Raises:
        Finished: the folder's run has ended well before, and `again` is False.
        Busy: the folder's run is going on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder) as lock:
        if state_of(folder) == "finished" and not again:
            raise Finished(f"already finished: {folder} (RERUN=1 starts it all the same)")
        write_json(folder / RUN, facts)
        put_metrics_aside(folder)
        status = {"state": "running", "exit_status": None, "started": _now(), "ended": None}
        write_json(folder / STATUS, status)
        print(f"{folder}: log in {folder / LOG}", flush=True)
        exit_status = _run_logged(command, folder, lock)
        join_metrics(folder)
        state = "finished" if exit_status == 0 else "failed"
        write_json(folder / STATUS, status | {"state": state, "exit_status": exit_status, "ended": _now()})
    print(f"{folder}: {state}, exit status {exit_status}")
    if exit_status != 0:
        lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        sys.stderr.write("\n".join(lines[-_TAIL_LINES:]) + "\n")
    return exit_status


def state_of(folder: Path) -> str:
    """missing, running, interrupted (its processes are gone unseen), stopped (by a signal), failed or finished."""
    try:
        status = json.loads((folder / STATUS).read_text(encoding="utf-8"))
        if status["state"] == "running" and not is_locked(folder):
            # It may have ended, or begun again, since it was read: the lock is held until the end is written.
            was, status = status, json.loads((folder / STATUS).read_text(encoding="utf-8"))
            if status == was:
                return "interrupted"
    except FileNotFoundError:
        return "missing"
    if status["exit_status"] in {128 + number for number in _STOPPING}:
        return "stopped"
    return status["state"]


def is_locked(folder: Path) -> bool:
    """Whether a process is at work in the folder; on file systems without locks never."""
    with contextlib.suppress(OSError), (folder / _LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file at once: a reader sees the old one or the new one."""
    write_whole(path, json.dumps(content, indent=1) + "\n")


def _run_logged(command: list[str], folder: Path, lock: int) -> int:
    environment = os.environ | {"VERL_FILE_LOGGER_PATH": str(folder / METRICS)}
    process: subprocess.Popen | None = None
    asked: list[int] = []
    early: list[int] = []

    def pass_on(number: int, _: Any) -> None:
        if number == signal.SIGHUP and asked:
            # A closed terminal is told twice, by the shell and by the kernel, and the second SIGTERM that reaches a
            # training run ends it without a checkpoint.
            return
        asked.append(number)
        # main_sdpo leaves SIGHUP to the system, which ends it in the middle of its step.
        number = signal.SIGTERM if number == signal.SIGHUP else number
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    with _handled(stopping_signals(), pass_on), (folder / LOG).open("ab") as log:
        # A session of its own: Ctrl-C reaches this process only, and the command hears of it once.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=(lock,),
        )
        for number in early:
            process.send_signal(number)
        exit_status = process.wait()
        stopped_by = asked[:1]
        _end_group(process.pid)
    if stopped_by:
        return 128 + stopped_by[0]
    return exit_status if exit_status >= 0 else 128 - exit_status


def _end_group(group: int) -> None:
    """What the command has left: one that dies of a signal ends no worker of its own, and those may hold a GPU."""
    try:
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
    except OSError:
        # Nothing is left.
        return


def stopping_signals() -> list[signal.Signals]:
    """Those that ask a run to stop; a SIGHUP that is ignored from the start (nohup) stays so."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [number for number in _STOPPING if number != signal.SIGHUP or not ignored]


@contextlib.contextmanager
def _handled(numbers: Iterable[int], handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled_by in before.items():
            signal.signal(number, handled_by)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[int]:
    """Holds the folder's lock, and gives its file descriptor.

    The command holds it too: should this process be killed, the folder is locked until the command has ended. A
    process id in status.json would say so on one machine alone, and of a number that another process may have by now.
    Unlocking ends it for all who have the descriptor, so that nothing that the command forked can keep it after an
    end that was seen here.
    """
    with (folder / _LOCK).open("wb") as lock:
        try:
            _lock(lock.fileno())
        except BlockingIOError:
            remedy = f"wait for it, or end it (fuser -v {folder / _LOCK} names it)"
            raise Busy(f"error: another process is at work in {folder}; {remedy}") from None
        except OSError:
            # No locks on this file system.
            pass
        yield lock.fileno()
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_UN)


def _lock(descriptor: int) -> None:
    """Tries for a while: `is_locked` has the lock for the moment of its question."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    main()
