# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1\n2\n3\n", "expected": "? 1\n? 2\n! 3\n"}
import functools

print = functools.partial(print, flush=True)
for _ in range(2):
    print("?", input())
print("!", end=" ")
print(input())
