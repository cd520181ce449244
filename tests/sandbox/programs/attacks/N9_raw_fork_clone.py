# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
SIGCHLD = 17
clone_args = (ctypes.c_uint64 * 11)(0, 0, 0, 0, SIGCHLD)
CALLS = {
    "fork": (57,),
    "clone": (56, SIGCHLD, 0, 0, 0, 0),
    "clone3": (435, ctypes.byref(clone_args), 88),
    # The kernel looks at the lower half of the number, and so must a filter.
    "fork with high bits": ((1 << 32) + 57,),
    "clone with a new user namespace": (56, 0x10000000 | SIGCHLD, 0, 0, 0, 0),
    "clone of the parent's child": (56, 0x8000 | SIGCHLD, 0, 0, 0, 0),
}
for name, (number, *arguments) in CALLS.items():
    arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    child = libc.syscall(ctypes.c_long(number), *arguments)
    if child == 0:
        os._exit(0)
    print(f"ESCAPED: {name}" if child > 0 else f"blocked {ctypes.get_errno()}", flush=True)
