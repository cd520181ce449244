# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "50000\n", "expected": "50000 1250025000\n"}
import sys

sys.setrecursionlimit(1 << 25)
n = int(input())
children = [[i + 1] if i + 1 < n else [] for i in range(n)]
sizes = [0] * n


def dfs(v):
    sizes[v] = 1
    for w in children[v]:
        dfs(w)
        sizes[v] += sizes[w]


dfs(0)
print(sizes[0], sum(sizes))
