# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "6 3\n1 0\n7 2\n", "expected": "2\nundefined\n3\n"}
import sys

for line in sys.stdin:
    a, b = map(int, line.split())
    try:
        print(a // b)
    except ZeroDivisionError:
        print("undefined")
