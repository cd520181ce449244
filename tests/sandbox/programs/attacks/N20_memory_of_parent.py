# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


buffer = ctypes.create_string_buffer(64)
here = Vector(ctypes.addressof(buffer), 64)
# A fork has the same layout as its parent: an object of this process lies at the same address there.
there = Vector(id(None), 64)
result = libc.syscall(
    ctypes.c_long(310), os.getppid(), ctypes.byref(here), ctypes.c_long(1), ctypes.byref(there), ctypes.c_long(1), ctypes.c_long(0)
)
# A bad address is told of only to those who may look.
EFAULT = 14
print(f"ESCAPED: may read the parent {result}" if result >= 0 or ctypes.get_errno() == EFAULT else f"blocked {ctypes.get_errno()}")
for path in (f"/proc/{os.getppid()}/mem", f"/proc/{os.getppid()}/maps"):
    try:
        open(path, "rb").close()
        print("ESCAPED:", path)
    except OSError as error:
        print("blocked", error.errno)
