# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
for target in {os.getppid(), 1} - {0, os.getpid()}:
    # Seizing does not stop it, unlike attaching.
    if libc.ptrace(ctypes.c_long(PTRACE_SEIZE), ctypes.c_long(target), None, None) == 0:
        print("ESCAPED: traces", target)
        libc.ptrace(ctypes.c_long(PTRACE_DETACH), ctypes.c_long(target), None, None)
    else:
        print("blocked", ctypes.get_errno())
if os.getppid() and libc.syscall(ctypes.c_long(312), os.getpid(), os.getppid(), 0, 0, 0) >= 0:
    print("ESCAPED: kcmp with the parent")
