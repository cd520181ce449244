# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n1 2 3\n", "expected": "6\n"}
import io
import os

# The idiom of PyPy's users: the whole of standard input in one call; its size is read from the descriptor.
input = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline
n = int(input())
print(sum(map(int, input().split())))
