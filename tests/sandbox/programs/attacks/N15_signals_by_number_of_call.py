# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
L, parent = ctypes.c_long, os.getppid()
information = ctypes.create_string_buffer(128)
for name, number, *arguments in (
    ("kill", 62, parent, 0),
    ("tkill", 200, parent, 0),
    ("tgkill", 234, parent, parent, 0),
    ("rt_sigqueueinfo", 129, parent, 0, information),
):
    if parent > 0:
        result = libc.syscall(L(number), *(L(a) if isinstance(a, int) else a for a in arguments))
        print(f"ESCAPED: {name}" if result == 0 else f"blocked {ctypes.get_errno()}")
