# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3000\n", "expected": "4501500\n", "needs": ["deep_cache"]}
import sys
from functools import cache

sys.setrecursionlimit(10**5)


@cache
def total(n):
    if n == 0:
        return 0
    return n + total(n - 1)


print(total(int(input())))
