# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
for target in {os.getppid(), 1} - {0, os.getpid()}:
    try:
        fd = os.pidfd_open(target)
    except OSError as error:
        print("blocked", error.errno)
        continue
    print("ESCAPED: pidfd_open of", target)
    try:
        signal.pidfd_send_signal(fd, 0)
        print("ESCAPED: pidfd_send_signal to", target)
    except OSError as error:
        print("blocked", error.errno)
    for number in range(8):
        if libc.syscall(ctypes.c_long(438), fd, number, 0) >= 0:
            print("ESCAPED: pidfd_getfd of descriptor", number)
