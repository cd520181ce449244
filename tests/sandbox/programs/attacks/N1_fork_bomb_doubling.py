# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "dangerous": true, "needs": ["unix"], "cpu_seconds": 1}
import os
import time

for _ in range(8):
    if os.fork() != 0:
        print("ESCAPED: doubled", flush=True)
time.sleep(10)
