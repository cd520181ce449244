# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "4 5\n1 2 1\n2 3 2\n3 4 7\n4 1 3\n1 3 9\n", "expected": "6\n"}
n, m = map(int, input().split())
parent = list(range(n + 1))


def find(x):
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


total = 0
for w, a, b in sorted((w, a, b) for a, b, w in (map(int, input().split()) for _ in range(m))):
    a, b = find(a), find(b)
    if a != b:
        parent[a] = b
        total += w
print(total)
