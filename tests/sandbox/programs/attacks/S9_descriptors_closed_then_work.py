# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["wrong_answer", "runtime_error", "time_limit"], "cpu_seconds": 1}
import os

for fd in range(1024):
    try:
        os.close(fd)
    except OSError:
        pass
while True:
    pass
