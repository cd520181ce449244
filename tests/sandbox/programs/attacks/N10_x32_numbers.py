# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
X32 = 0x40000000
for name, number, *arguments in (
    ("getpid", 39),
    ("fork", 57),
    ("open", 2, b"/etc/passwd", 0),
    ("socket", 41, 2, 1, 0),
    ("ptrace", 521, 0, 0, 0, 0),
    ("execve", 520, 0, 0, 0),
):
    result = libc.syscall(ctypes.c_long(X32 | number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result == 0 and name == "fork":
        os._exit(0)
    print(f"ESCAPED: x32 {name}" if result >= 0 else f"blocked {ctypes.get_errno()}", flush=True)
