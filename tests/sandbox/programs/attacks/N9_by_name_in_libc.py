# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
child = libc.fork()
if child == 0:
    os._exit(0)
print("ESCAPED: fork" if child > 0 else "blocked", flush=True)
print(libc.system(b"echo ESCAPED: system"))
libc.popen.restype = ctypes.c_void_p
if libc.popen(b"echo ESCAPED: popen", b"r"):
    print("ESCAPED: popen")
