# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2000000\n", "expected": "1999999000000\n"}
total = 0
for i in range(int(input())):
    total += i
print(total)
