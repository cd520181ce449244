# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes

# Its requests are done by the kernel, past any filter of calls.
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
parameters = ctypes.create_string_buffer(120)
fd = libc.syscall(ctypes.c_long(425), ctypes.c_long(8), parameters)
print(f"ESCAPED: io_uring_setup {fd}" if fd >= 0 else f"blocked {ctypes.get_errno()}")
context = ctypes.c_ulong(0)
result = libc.syscall(ctypes.c_long(206), ctypes.c_long(1), ctypes.byref(context))
print("io_setup", result if result == 0 else ctypes.get_errno())
