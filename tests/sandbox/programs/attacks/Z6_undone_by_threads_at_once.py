# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit", "output_limit"], "cpu_seconds": 1}
import os
import threading


def close_all():
    while True:
        for fd in range(256):
            try:
                os.close(fd)
            except OSError:
                pass


for _ in range(3):
    threading.Thread(target=close_all, daemon=True).start()
while True:
    try:
        os.write(1, b".")
    except OSError:
        pass
