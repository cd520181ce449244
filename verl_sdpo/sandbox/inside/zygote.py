# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The warm interpreter: started clean, it forks a process for each run, watches it, and says how it ended.

It never has a program's text, input or output: those go between the supervisor and the program's process through
descriptors that this process only passes on. Its standard input is the socket to the supervisor: JSON messages, each
with the descriptors that belong to it. When that socket closes, everything ends.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import threading
from typing import Any

import isolate
import landlock
import namespaces
import seccomp
import syscalls
import users
import warm
from child import Child
from scratch import Scratch
from spare import FAILED, PROCESSES_OF_A_JOB, Spare
from template import Template

_MAX_MESSAGE = 2**16
_MAX_DESCRIPTORS = 16
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
# At most this long between looks at a program's clocks and threads.
_WATCH_SECONDS = 0.02
# Threads of programs get this much stack unless they ask for more; the default would be the main thread's limit.
_THREAD_STACK = 8 * 2**20
_MAIN_STACK = 256 * 2**20
_FIXED_ADDRESSES = 0x0040000
# Nothing of the user's or of the site's, and no files written.
_FLAGS = ("-s", "-S", "-B", "-X", "utf8")


class Zygote:
    """Forks, watches and reports."""

    def __init__(self, control: socket.socket, setting: dict[str, Any]) -> None:
        self._control = control
        self._setting = setting
        self._spare: Spare | None = None
        self.layers: dict[str, Any] = {"namespaces": False}

    def start(self) -> None:
        """Warms up and takes up the layers; from here on this process is the first of its own world, if it may be."""
        packages = warm.load(self._setting["packages"])
        readable = warm.readable_paths(packages)
        is_mounted = self._enter_namespaces(readable)
        user = users.usable(self._setting["users"]) if os.geteuid() == 0 else None
        self._scratch = Scratch(self._setting["scratch"], os.geteuid() if user is None else user, is_mounted)
        ruleset = self._make_rules(readable, namespaces.SCRATCH_PARENT if is_mounted else self._scratch.path)
        keeps_reading = ruleset is not None and user is not None and not users.can(user, users.read_library)
        self._confinement = isolate.Confinement(ruleset, user, keeps_reading)
        self.layers["user"] = user
        self._settle()

    def _make_rules(self, readable: list[str], writable: str) -> int | None:
        level = landlock.version() if self._setting["landlock"] else 0
        self.layers["landlock"] = level
        return landlock.make_ruleset(readable, warm.LIBRARY, writable) if level else None

    def _settle(self) -> None:
        """Leaves nothing to do, and nothing to find, for the processes that are forked from here on."""
        seccomp.program(os.getpid())  # kept for every child
        threading.stack_size(_THREAD_STACK)
        warm.forget_own_modules()
        os.environ.clear()
        syscalls.prctl(_PR_SET_DUMPABLE, 0)
        with open(os.open("self/statm", os.O_RDONLY, dir_fd=self._processes), encoding="ascii") as file:
            self._warm_bytes = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        gc.collect()
        gc.freeze()
        gc.disable()
        self._template = self._new_template()

    def _enter_namespaces(self, readable: list[str]) -> bool:
        if self._setting["namespaces"]:
            try:
                namespaces.enter()
            except OSError as error:
                self.layers["namespaces_error"] = str(error)
            else:
                self._become_first()
                self._processes = namespaces.build_root(self._setting["scratch"], readable, warm.LIBRARY)
                self.layers["namespaces"] = True
                return True
        self._processes = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return False

    def _become_first(self) -> None:
        """Goes on in a child, the first process of its namespace: when it ends, so does everything in there."""
        child = os.fork()
        if child:
            self._control.close()
            os.close(0)
            _, status = os.waitpid(child, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def serve(self) -> None:
        """Runs one job after the other until the supervisor is gone."""
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._control, _MAX_MESSAGE, _MAX_DESCRIPTORS)
            if not data:
                return
            message = json.loads(data)
            if "parts" in message:  # else it is about a job that has ended
                self._run(message, descriptors)

    def _run(self, job: dict[str, Any], descriptors: list[int]) -> None:
        parts, number = job["parts"], job["number"]
        limits = parts[0]["limits"]
        try:
            self._scratch.prepare(int(limits["file_bytes"]), int(limits["num_files"]))
            children = [self._hand_over(number, place, part, descriptors) for place, part in enumerate(parts)]
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        # For the next job, while this one runs.
        self._spare = self._spare or self._new_spare(number + 1, 0)
        ended = self._watch(number, children)
        if any(_is_unread(each) for each in ended):
            self._renew_template()
        self._control.send(json.dumps({"number": number, "ended": ended}).encode())

    def _hand_over(self, job: int, place: int, part: dict[str, Any], descriptors: list[int]) -> Child:
        """Gives a part of a job to the process that waits for one, or to a new one."""
        spare, self._spare = (self._spare if place == 0 else None) or self._new_spare(job, place), None
        given = {name: descriptors[index] for name, index in part["descriptors"].items()}
        spare.give(part, given)
        return Child(spare.pid, part["limits"], self._processes)

    def _new_spare(self, job: int, place: int) -> Spare:
        """A process for a part of a job; where the template was killed from outside, of a new template."""
        channel = job % 2 * PROCESSES_OF_A_JOB + place
        try:
            return self._template.copy(channel)
        except OSError:
            self._renew_template()
            return self._template.copy(channel)

    def _renew_template(self) -> None:
        """Another template, whose processes wait at other sockets: orders that nobody read must not be read later."""
        self._template.discard()
        if self._spare is not None:
            os.waitpid(self._spare.pid, 0)
            self._spare = None
        self._template = self._new_template()

    def _new_template(self) -> Template:
        return Template(self._confinement, self._scratch.path, self._warm_bytes)

    def _watch(self, number: int, children: list[Child]) -> list[dict[str, Any]]:
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        running = {child.descriptor: child for child in children}
        for descriptor in running:
            poll.register(descriptor, select.POLLIN)
        ended: dict[int, dict[str, Any]] = {}
        while running:
            for descriptor, _ in poll.poll(_WATCH_SECONDS * 1000):
                if descriptor in running:
                    poll.unregister(descriptor)
                    child = running.pop(descriptor)
                    ended[child.pid] = child.reap()
                elif not self._heard(number, running):
                    for child in running.values():
                        child.kill("gone")
                    os._exit(0)
            for child in running.values():
                child.watch()
                if self._scratch.is_full():
                    child.kill("files")
        # One that was quicker than the watch is told as one that was not.
        reason = {"killed_for": "files"} if self._scratch.is_full() else {}
        return [ended[child.pid] | reason for child in children]

    def _heard(self, number: int, running: dict[int, Child]) -> bool:
        """Reads a message that came during a job; False where the supervisor is gone."""
        data = self._control.recv(_MAX_MESSAGE)
        if data and json.loads(data).get("kill") == number:
            for child in running.values():
                child.kill("asked")
        return bool(data)


def _is_unread(ended: dict[str, Any]) -> bool:
    """Whether a process may have ended before it read its orders: killed from outside, or by an error of ours."""
    was_killed = ended["signal"] == signal.SIGKILL and not ended["killed_for"]
    return was_killed or ended["exit_code"] == FAILED


def main() -> None:
    """Takes the setting from the first message, answers with the layers, and serves."""
    if len(sys.argv) == 1:
        _restart()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    control = socket.socket(fileno=os.dup(0))
    zygote = Zygote(control, json.loads(control.recv(_MAX_MESSAGE)))
    try:
        zygote.start()
    except (OSError, ImportError) as error:
        control.send(json.dumps({"refused": str(error)}).encode())
        return
    control.send(json.dumps({"layers": zygote.layers}).encode())
    zygote.serve()


def _restart() -> None:
    """Starts this file again: how far a stack may grow, and where memory lies, is settled when a program starts."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    size = _MAIN_STACK if hard == resource.RLIM_INFINITY else min(_MAIN_STACK, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (size, hard))
    with contextlib.suppress(OSError):
        # Addresses that a program prints are then the same every time. It could find out its own anyway.
        syscalls.call("personality", _FIXED_ADDRESSES)
    os.execv(sys.executable, [sys.executable, *_FLAGS, os.path.abspath(__file__), "warm"])


if __name__ == "__main__":
    main()
