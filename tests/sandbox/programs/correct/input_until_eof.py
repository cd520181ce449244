# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1 2\n10 -4\n7 7\n", "expected": "3\n6\n14\n"}
while True:
    try:
        a, b = map(int, input().split())
    except EOFError:
        break
    print(a + b)
