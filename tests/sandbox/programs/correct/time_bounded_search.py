# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "0.2\n", "expected": "3.142\n"}
import time

limit = time.time() + float(input())
low, high, rounds = 3.0, 4.0, 0
import math

while time.time() < limit:
    middle = (low + high) / 2
    if math.sin(middle) > 0:
        low = middle
    else:
        high = middle
    rounds += 1
print(f"{low:.3f}")
