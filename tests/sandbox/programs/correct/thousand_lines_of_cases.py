# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": {"repeat": ["3 4\n", 20000]}, "expected": {"repeat": ["7\n", 20000]}}
while True:
    try:
        a, b = map(int, input().split())
        print(a + b)
    except (EOFError, ValueError):
        break
