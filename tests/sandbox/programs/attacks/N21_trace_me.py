# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "needs": ["linux"], "cpu_seconds": 1}
import ctypes
import os
import signal

# Stops at its next signal and waits for a tracer, which is its parent.
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(ctypes.c_long(0), None, None, None) == 0:
    print("ESCAPED: the parent is its tracer", flush=True)
    os.kill(os.getpid(), signal.SIGUSR1)
