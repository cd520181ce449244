# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "dangerous": true, "needs": ["unix"], "cpu_seconds": 1}
import os
import time

children = 0
while children < 200:
    if os.fork() == 0:
        time.sleep(10)
        os._exit(0)
    children += 1
    print("ESCAPED: children", children, flush=True)
