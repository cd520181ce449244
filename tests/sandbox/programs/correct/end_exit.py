# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "4\n", "expected": "even\n"}
n = int(input())
if n % 2 == 0:
    print("even")
    exit()
print("odd")
