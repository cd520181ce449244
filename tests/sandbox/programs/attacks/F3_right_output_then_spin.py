# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "expected": "7\n", "cpu_seconds": 1}
a, b = map(int, input().split())
print(a + b, flush=True)
while True:
    pass
