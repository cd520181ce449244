# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "cpu_seconds": 1}
import time

# Neither at work nor asleep for long.
while True:
    time.sleep(0.001)
    sum(range(10))
