# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import fcntl
import os
import signal

# The kernel sends signals of a descriptor to whoever is named as its owner.
reading, writing = os.pipe()
try:
    fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())
    fcntl.fcntl(reading, 10, signal.SIGCONT)
    fcntl.fcntl(reading, fcntl.F_SETFL, fcntl.fcntl(reading, fcntl.F_GETFL) | os.O_ASYNC)
    print("owner set" if fcntl.fcntl(reading, fcntl.F_GETOWN) else "blocked")
except OSError as error:
    print("blocked", error.errno)
os.write(writing, b"x")
