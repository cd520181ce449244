# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The warm interpreter: started clean, it forks a process for each run, watches it, and says how it ended.

It never has a program's text, input or output: those go between the supervisor and the program's process through
descriptors that this process only passes on. Its standard input is the socket to the supervisor: JSON messages, each
with the descriptors that belong to it. When that socket closes, everything ends.
"""

import errno
import fcntl
import gc
import importlib
import json
import os
import resource
import select
import signal
import site
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import isolate
import landlock
import namespaces
import roles
import syscalls

_MAX_MESSAGE = 2**16
# A child's descriptor of the file rules, above those of its role; gone before the program runs.
_RULESET = max(roles.DESCRIPTORS.values()) + 1
_MAX_DESCRIPTORS = 16
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
# At most this long between looks at a program's clocks and threads.
_WATCH_SECONDS = 0.02
_MAX_THREADS = 256
# Threads of programs get this much stack unless they ask for more; the default would be the main thread's limit.
_THREAD_STACK = 8 * 2**20
_MAIN_STACK = 256 * 2**20
# Nothing of the user's or of the site's, and no files written.
_FLAGS = ("-s", "-S", "-B", "-X", "utf8")
# What solutions import; everything else of the standard library is read when it is imported.
_WARM = """
abc argparse array ast asyncio atexit base64 bisect calendar cmath codecs collections concurrent.futures contextlib
copy ctypes dataclasses datetime decimal enum fractions functools gc hashlib heapq inspect io itertools json keyword
linecache locale logging math numbers operator pickle platform pprint queue random re resource secrets select selectors
shutil signal socket statistics string struct subprocess tempfile textwrap threading time timeit token tokenize
traceback types typing unicodedata uuid warnings weakref zlib
""".split()
_LIBRARY = os.path.dirname(os.__file__)
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")
_TEXTS = ("/etc/localtime", "/usr/share/zoneinfo", "/etc/ld.so.cache")


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


class Scratch:
    """The programs' temporary directory: a file system of its own, or else a directory that is watched."""

    def __init__(self, path: str, owner: int, is_mounted: bool) -> None:
        self.path = path
        self._owner = owner
        self._is_mounted = is_mounted
        self._size = (0, 0)

    def prepare(self, num_bytes: int, num_files: int) -> None:
        """Makes it empty, and as large as wanted."""
        if not self._is_mounted:
            for entry in os.scandir(self.path):
                os.unlink(entry.path)
        elif self._size != (num_bytes, num_files) or os.listdir(self.path):
            namespaces.mount_scratch(self._owner, num_bytes, num_files)
        self._size = (num_bytes, num_files)

    def is_full(self) -> bool:
        """Whether a program wrote more than it may; a file system of its own sees to that itself."""
        if self._is_mounted:
            return False
        total = count = 0
        for entry in os.scandir(self.path):
            count += 1
            try:
                total += entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
        return total > self._size[0] or count > self._size[1]


class Zygote:
    """Forks, watches and reports."""

    def __init__(self, control: socket.socket, setting: dict[str, Any]) -> None:
        self._control = control
        self._setting = setting
        self.layers: dict[str, Any] = {}

    def start(self) -> None:
        """Warms up and takes up the layers; from here on this process is the first of its own world, if it may be."""
        packages = warm(self._setting["packages"])
        readable = readable_paths(packages)
        is_mounted = self._enter_namespaces(readable)
        user = usable_user(self._setting["users"]) if os.geteuid() == 0 else None
        scratch = namespaces.SCRATCH if is_mounted else self._setting["scratch"]
        self._scratch = Scratch(scratch, os.geteuid() if user is None else user, is_mounted)
        if user is not None and not is_mounted:
            os.chown(scratch, user, user)
        self._scratch.prepare(2**20, 16)
        ruleset = None
        if self._setting["landlock"] and (level := landlock.version()):
            writable = namespaces.SCRATCH_PARENT if is_mounted else scratch
            ruleset = landlock.make_ruleset(readable, _LIBRARY, writable)
            self.layers["landlock"] = level
        self.layers["user"] = user
        keeps_reading = ruleset is not None and user is not None and not can(user, _read_library)
        self._confinement = isolate.Confinement(ruleset, user, keeps_reading)
        threading.stack_size(_THREAD_STACK)
        _forget_own_modules()
        os.environ.clear()
        syscalls.prctl(_PR_SET_DUMPABLE, 0)
        with open(os.open("self/statm", os.O_RDONLY, dir_fd=self._processes)) as file:
            self._warm_bytes = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        gc.collect()
        gc.freeze()
        gc.disable()

    def _enter_namespaces(self, readable: list[str]) -> bool:
        if self._setting["namespaces"]:
            try:
                namespaces.enter()
            except OSError as error:
                self.layers["namespaces_error"] = str(error)
            else:
                self._become_first()
                self._processes = namespaces.build_root(self._setting["scratch"], readable)
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
        parts = job["parts"]
        limits = parts[0]["limits"]
        try:
            self._scratch.prepare(int(limits["file_bytes"]), int(limits["num_files"]))
            children = [self._fork(part, descriptors) for part in parts]
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        ended = self._watch(job["number"], children)
        self._control.send(json.dumps({"number": job["number"], "ended": ended}).encode())

    def _fork(self, part: dict[str, Any], descriptors: list[int]) -> Child:
        pid = os.fork()
        if pid:
            return Child(pid, part["limits"], self._processes)
        phase = roles.DESCRIPTORS["phase"]
        try:
            self._arrange({name: descriptors[place] for name, place in part["descriptors"].items()})
            self._confine(part["limits"])
            roles.play(part["role"])
        except BaseException as error:
            os.write(phase, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
        finally:
            os._exit(121)

    def _arrange(self, given: dict[str, int]) -> None:
        """Puts the descriptors where the roles look for them, and closes all others, the supervisor's socket first."""
        numbers = {roles.DESCRIPTORS[name]: _moved(descriptor) for name, descriptor in given.items()}
        if self._confinement.ruleset is not None:
            numbers[_RULESET] = _moved(self._confinement.ruleset)
        for number in range(_RULESET + 1):
            if number in numbers:
                os.dup2(numbers[number], number)
            else:
                os.close(os.dup2(0, number))
        syscalls.call("close_range", _RULESET + 1, 2**31 - 1, 0)

    def _confine(self, limits: dict[str, float]) -> None:
        os.chdir(self._scratch.path)
        ruleset = None if self._confinement.ruleset is None else _RULESET
        memory = self._warm_bytes + int(limits["memory_mib"] * 2**20)
        confinement = self._confinement._replace(ruleset=ruleset)
        isolate.enter(confinement, limits["cpu_seconds"], memory, int(limits["file_bytes"]))

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
                if not child.killed_for and self._scratch.is_full():
                    child.kill("files")
        return [ended[child.pid] for child in children]

    def _heard(self, number: int, running: dict[int, Child]) -> bool:
        """Reads a message that came during a job; False where the supervisor is gone."""
        data = self._control.recv(_MAX_MESSAGE)
        if data and json.loads(data).get("kill") == number:
            for child in running.values():
                child.kill("asked")
        return bool(data)


def warm(packages: dict[str, str]) -> list[str]:
    """Imports what programs import.

    Args:
        packages: installed packages by name, with the directory that holds each.

    Returns:
        The directories of those packages.
    """
    for name in _WARM:
        importlib.import_module(name)
    # What ``site`` adds for everyone, which this interpreter starts without: exit() and quit().
    site.setquit()
    before = list(sys.path)
    sys.path += dict.fromkeys(packages.values())
    found = [os.path.dirname(importlib.import_module(name).__file__) for name in packages]
    sys.path[:] = before
    return found


def readable_paths(packages: list[str]) -> list[str]:
    """Files and directories that programs may read: Python's own library without what is installed in it, packages."""
    paths = [f"{_LIBRARY}/{name}" for name in sorted(os.listdir(_LIBRARY)) if not name.endswith("-packages")]
    # Wheels keep their shared libraries beside the package.
    paths += [path + end for path in packages for end in ("", ".libs")]
    paths += [*_SYSTEM_LIBRARIES, *_DEVICES, *_TEXTS, *_loaded_libraries()]
    # By both names where one is a link: the new tree has no links.
    paths += [os.path.realpath(path) for path in paths]
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]


def usable_user(users: list[int]) -> int:
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


def _read_library() -> None:
    os.listdir(_LIBRARY)
    with open(os.__file__, "rb") as file:
        file.read(1)


def _forget_own_modules() -> None:
    """Programs may have modules of the same names."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path != here]
    for name in [
        name for name, module in sys.modules.items() if (module.__dict__.get("__file__") or "").startswith(here)
    ]:
        del sys.modules[name]


def _loaded_libraries() -> list[str]:
    with open("/proc/self/maps") as file:
        paths = {line.split(None, 5)[5].strip() for line in file if "/" in line}
    return sorted(path for path in paths if ".so" in os.path.basename(path))


def _moved(descriptor: int) -> int:
    """A copy above all numbers that have a meaning."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100)


def main() -> None:
    """Takes the setting from the first message, answers with the layers, and serves."""
    if len(sys.argv) == 1:
        _restart_with_stack()
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


def _restart_with_stack() -> None:
    """Starts this file again: how far the main thread's stack may grow is settled when a program is started."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    size = _MAIN_STACK if hard == resource.RLIM_INFINITY else min(_MAIN_STACK, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (size, hard))
    os.execv(sys.executable, [sys.executable, *_FLAGS, os.path.abspath(__file__), "warm"])


if __name__ == "__main__":
    main()
