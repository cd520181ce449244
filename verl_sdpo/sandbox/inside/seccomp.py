# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which system calls a program may make: a seccomp filter that allows a list and refuses all others.

No new process, no other program, no signal to anything but itself, no socket but a pair within itself, no mount, no
trace. Threads are allowed: solutions use one with a larger stack. Files are the file layers' matter, not this one's.
"""

import ctypes
import errno
import functools
import struct
from collections.abc import Iterator

import syscalls

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
# The filter has nothing that speculation could leak; without this flag old kernels slow the program down.
_SPEC_ALLOW = 4
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_ERRNO = 0x00050000
# Classic BPF: load a word at an offset, compare with a constant, return one.
_LOAD, _JUMP, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_ALLOWED = """
read write futex mmap munmap brk lseek fstat newfstatat close clock_gettime mprotect madvise mremap
readv writev pread64 pwrite64 preadv pwritev close_range stat lstat statx access faccessat faccessat2
poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 pipe pipe2 dup dup2 dup3
mincore set_robust_list get_robust_list rseq sched_yield sched_getaffinity sched_getparam sched_getscheduler
sched_get_priority_max sched_get_priority_min nanosleep clock_nanosleep clock_getres gettimeofday time times getrusage
getcpu getpid gettid getuid geteuid getgid getegid getpgrp getpgid getsid getgroups getresuid getresgid getcwd
uname sysinfo getrandom getrlimit rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
sigaltstack setitimer getitimer alarm pause exit exit_group restart_syscall membarrier
readlink readlinkat getdents64 unlink unlinkat rename renameat renameat2 ftruncate fsync fdatasync fadvise64 flock umask
chdir sendto recvfrom sendmsg recvmsg shutdown getsockname getpeername
""".split()
_CLONE_THREAD = 0x10000
# New namespaces of any kind.
_CLONE_NEW = 0x7E020000
_O_TMPFILE = 0o20000000
_AF_UNIX = 1
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)  # none that sets whom a signal goes to
_IOCTL_REQUESTS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIO(N)CLEX
_PRCTL_OPTIONS = (15, 16)  # a thread's name
# A program that kills or stops itself would look as if the machine had done it.
_SIGKILL, _SIGSTOP = 9, 19

# No process id: above the kernel's largest, 2 ** 22.
_PID_PLACE = 0x5AFE5AFE
_MAX_LINEAR = 4

_Instruction = tuple[int, int, int, int]


def program(own_pid: int) -> bytes:
    """The filter's instructions for the process that is about to be restricted.

    Args:
        own_pid: the process's id as it sees itself, the only one it may signal.
    """
    return _template().replace(struct.pack("I", _PID_PLACE), struct.pack("I", own_pid))


@functools.cache
def _template() -> bytes:
    """The instructions with ``_PID_PLACE`` for the process's id: they are made once, and each process is a fork."""
    blocks = {name: [(_RETURN, 0, 0, _ALLOW)] for name in _ALLOWED} | dict(_conditional(_PID_PLACE))
    cases = sorted(
        (syscalls.number(name), block) for name, block in blocks.items() if syscalls.number(name) is not None
    )
    instructions: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 1, 0, _ARCHITECTURES[syscalls.machine()]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        # The x32 way of making calls has numbers of its own, which the list below does not know.
        (_IF_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
        *_search(cases),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def _search(cases: list[tuple[int, list[_Instruction]]]) -> list[_Instruction]:
    """Finds a call's block by halves: the kernel goes through the filter for every number when it is put on."""
    if len(cases) > _MAX_LINEAR:
        middle = len(cases) // 2
        low, high = _search(cases[:middle]), _search(cases[middle:])
        return [(_IF_AT_LEAST, 0, 1, cases[middle][0]), (_JUMP, 0, 0, len(low)), *low, *high]
    # A block must return on every path, since it may load other words.
    found = [step for number, block in cases for step in ((_IF_EQUAL, 0, len(block), number), *block)]
    return [*found, (_RETURN, 0, 0, _ERRNO | errno.EPERM)]


def restrict(own_pid: int) -> None:
    """Puts the filter on the calling process, for good.

    Raises:
        OSError: the kernel has no seccomp filters, or may not use them here.
    """
    instructions = program(own_pid)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    # struct sock_fprog: the number of instructions, then a pointer to them.
    wanted = struct.pack("HxxxxxxQ", len(instructions) // 8, ctypes.addressof(buffer))
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    syscalls.call("seccomp", _SET_MODE_FILTER, _SPEC_ALLOW, wanted)


def _conditional(own_pid: int) -> Iterator[tuple[str, list[_Instruction]]]:
    allow, refuse = [(_RETURN, 0, 0, _ALLOW)], [(_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    opening = [(_RETURN, 0, 0, _ERRNO | errno.EOPNOTSUPP)]
    # An unnamed file would not be seen where the temporary directory is watched by name.
    yield "openat", _if_any_bit(2, _O_TMPFILE, opening, allow)
    yield "open", _if_any_bit(1, _O_TMPFILE, opening, allow)
    yield "clone", _if_any_bit(0, _CLONE_NEW, refuse, _if_any_bit(0, _CLONE_THREAD, allow, refuse))
    # Its flags are in memory, out of a filter's sight; the C library then uses clone.
    yield "clone3", [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    for name, signal_at in (("kill", 1), ("tgkill", 2)):
        to_itself = _if_one_of(signal_at, (_SIGKILL, _SIGSTOP), refuse, allow)
        yield name, _if_one_of(0, (own_pid,), to_itself, refuse)
    # Nobody: the answer is 0 without the kernel being asked. A number would be another process's.
    yield "getppid", [(_RETURN, 0, 0, _ERRNO)]
    # Limits may be read, of itself.
    yield "prlimit64", _if_one_of(0, (0, own_pid), _if_null(2, allow, refuse), refuse)
    yield "fcntl", _if_one_of(1, _FCNTL_COMMANDS, allow, refuse)
    yield "ioctl", _if_one_of(1, _IOCTL_REQUESTS, allow, [(_RETURN, 0, 0, _ERRNO | errno.ENOTTY)])
    yield "prctl", _if_one_of(0, _PRCTL_OPTIONS, allow, refuse)
    # What asyncio wakes itself with.
    yield "socketpair", _if_one_of(0, (_AF_UNIX,), allow, refuse)


def _low(argument: int) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)


def _if_any_bit(
    argument: int, bits: int, then: list[_Instruction], otherwise: list[_Instruction]
) -> list[_Instruction]:
    return [_low(argument), (_IF_ANY_BIT, 0, len(then), bits), *then, *otherwise]


def _if_one_of(
    argument: int, values: tuple[int, ...], then: list[_Instruction], otherwise: list[_Instruction]
) -> list[_Instruction]:
    """By the low word: these arguments are 32-bit numbers to the kernel."""
    tests = [(_IF_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    # No match: jump over the block; a match jumps over that jump.
    return [_low(argument), *tests, (_JUMP, 0, 0, len(then)), *then, *otherwise]


def _if_null(argument: int, then: list[_Instruction], otherwise: list[_Instruction]) -> list[_Instruction]:
    """A pointer: both words must be zero."""
    high = (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument + 4)
    size = len(then)
    return [_low(argument), (_IF_EQUAL, 0, size + 2, 0), high, (_IF_EQUAL, 0, size, 0), *then, *otherwise]
