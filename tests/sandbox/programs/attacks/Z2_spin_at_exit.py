# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "cpu_seconds": 1, "expected": "7\n"}
import atexit


@atexit.register
def spin():
    while True:
        pass


a, b = map(int, input().split())
print(a + b)
