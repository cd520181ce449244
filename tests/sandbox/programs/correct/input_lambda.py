# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2\nab c\nd\n", "expected": "4 1\n"}
import sys

input = lambda: sys.stdin.readline().rstrip("\r\n")
MI = lambda: map(int, input().split())
inf = float("inf")
best, least = -inf, inf
(n,) = MI()
for _ in range(n):
    line = input()
    best = max(best, len(line))
    least = min(least, len(line))
print(best, least)
