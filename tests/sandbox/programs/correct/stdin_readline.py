# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n1\n2\n3\n", "expected": "6\n"}
import sys

input = sys.stdin.readline
n = int(input())
print(sum(int(input()) for _ in range(n)))
