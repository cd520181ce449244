# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5\n", "expected": "120 too deep\n"}
def factorial(n):
    return 1 if n == 0 else n * factorial(n - 1)


n = int(input())
try:
    far = factorial(-1)
except RecursionError:
    far = "too deep"
print(factorial(n), far)
