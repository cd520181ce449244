# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "cpu_seconds": 1}
import hashlib
import threading

# Without the lock of the interpreter: several processors at once.
data = bytes(1 << 22)


def spin():
    while True:
        hashlib.sha256(data).digest()


for _ in range(8):
    threading.Thread(target=spin).start()
