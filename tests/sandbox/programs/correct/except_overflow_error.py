# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1000\n", "expected": "inf\n"}
import math

x = int(input())
try:
    print(math.exp(x))
except OverflowError:
    print("inf")
