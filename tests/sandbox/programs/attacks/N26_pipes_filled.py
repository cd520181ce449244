# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "memory_limit"], "needs": ["linux"]}
import fcntl
import os

total = 0
try:
    while total < 1 << 30:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            fcntl.fcntl(writing, 1031, 1 << 20)
        except OSError:
            pass
        try:
            while True:
                total += os.write(writing, bytes(1 << 16))
        except BlockingIOError:
            pass
except OSError as error:
    print("blocked", error.errno)
print("ESCAPED: pipes hold" if total >= 1 << 30 else "little", total)
