# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "400\n", "expected": "80200\n"}
import sys
from functools import cache

sys.setrecursionlimit(10**5)


@cache
def total(n):
    if n == 0:
        return 0
    return n + total(n - 1)


print(total(int(input())))
