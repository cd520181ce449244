# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os
import sys

try:
    fd = os.memfd_create("x", 0)
    os.write(fd, b"#!/bin/sh\necho ESCAPED: executed from memory\n")
    os.fchmod(fd, 0o700)
except OSError as error:
    sys.exit(f"blocked {error.errno}")
try:
    os.execve(fd, ["x"], {})
except OSError as error:
    print("blocked", error.errno)
libc = ctypes.CDLL(None, use_errno=True)
AT_EMPTY_PATH = 0x1000
libc.syscall(ctypes.c_long(322), ctypes.c_long(fd), b"", None, None, ctypes.c_long(AT_EMPTY_PATH))
print("blocked", ctypes.get_errno())
