# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2 3\nabc\n", "expected": "5\nb'cba'\n"}
import sys

input = sys.stdin.buffer.readline
a, b = map(int, input().split())
print(a + b)
print(input().rstrip()[::-1])
