# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n8\n0\n5\n", "expected": "11\n[4, 16, 36]\n"}
total = 0
while (x := int(input())) != 0:
    total += x
print(total)
print([y for i in range(4) if (y := (2 * i) ** 2)])
