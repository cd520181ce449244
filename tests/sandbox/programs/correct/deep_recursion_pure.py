# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "100000\n", "expected": "100000\n"}
import sys

sys.setrecursionlimit(10**6)


def depth(node):
    if node == 0:
        return 0
    return depth(node - 1) + 1


print(depth(int(input())))
