# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
L = ctypes.c_long
IPC_CREAT = 0o1000
# What outlives the process and is seen by others of the same user; private pieces too are left behind.
for name, number, *arguments in (
    ("shmget", 29, L(0x5DB0), L(4096), L(IPC_CREAT | 0o600)),
    ("semget", 64, L(0x5DB0), L(1), L(IPC_CREAT | 0o600)),
    ("msgget", 68, L(0x5DB0), L(IPC_CREAT | 0o600)),
    ("mq_open", 240, b"sandbox_escape", L(os.O_CREAT | os.O_RDWR), L(0o600), None),
):
    result = libc.syscall(L(number), *arguments)
    print(f"ESCAPED: {name}" if result >= 0 else f"blocked {ctypes.get_errno()}")
    if result >= 0:
        remove = {"shmget": (31, L(result), L(0), None), "semget": (66, L(result), L(0), L(0)), "msgget": (71, L(result), L(0), None)}
        libc.syscall(*(L(x) if isinstance(x, int) else x for x in remove.get(name, (241, b"sandbox_escape"))))
