# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5 x 7 1.5 -2 0x1f\n", "expected": "10 3\n"}
total = bad = 0
for token in input().split():
    try:
        total += int(token)
    except ValueError:
        bad += 1
print(total, bad)
