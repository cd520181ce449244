# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "cpu_seconds": 1}
import os
import struct
import time

# A length of what never comes: a parent that waits for it without a deadline hangs.
for fd in range(3, 1024):
    for data in (struct.pack("!i", 1 << 20), struct.pack("<Q", 1 << 30), b'{"value": [1, 2, '):
        try:
            os.write(fd, data)
        except OSError:
            pass
time.sleep(3600)
