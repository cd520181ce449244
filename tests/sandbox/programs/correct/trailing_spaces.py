# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "1\n1 2\n1 2 3\n"}
for i in range(1, int(input()) + 1):
    for j in range(1, i + 1):
        print(j, end=" ")
    print()
