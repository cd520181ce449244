# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"], "escapes": true}
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
L, CWD = ctypes.c_long, ctypes.c_long(-100)
how = (ctypes.c_uint64 * 3)(0, 0, 0)
path = b"/etc/passwd"
CALLS = {
    "open": (2, path, L(0)),
    "openat": (257, CWD, path, L(0)),
    "openat2": (437, CWD, path, ctypes.byref(how), L(24)),
    "open_tree": (428, CWD, b"/etc", L(1)),
    "creat": (85, b"/tmp/sandbox_escape_creat", L(0o600)),
    "mknod a device": (133, b"device", L(0o20600), L(0x103)),
    "mkdir outside": (83, b"/tmp/sandbox_escape_folder", L(0o700)),
}
for name, (number, *arguments) in CALLS.items():
    result = libc.syscall(L(number), *arguments)
    print(f"ESCAPED: {name}" if result >= 0 else f"blocked {ctypes.get_errno()}", flush=True)
for call in ((87, b"/tmp/sandbox_escape_creat"), (84, b"/tmp/sandbox_escape_folder")):
    libc.syscall(L(call[0]), call[1])
