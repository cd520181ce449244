# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "4 5\n1 2 4\n1 3 1\n3 2 2\n2 4 5\n3 4 8\n", "expected": "0 3 1 8\n"}
from heapq import heappop, heappush

n, m = map(int, input().split())
graph = [[] for _ in range(n)]
for _ in range(m):
    u, v, w = map(int, input().split())
    graph[u - 1].append((v - 1, w))
distance = [float("inf")] * n
distance[0] = 0
heap = [(0, 0)]
while heap:
    d, u = heappop(heap)
    if d > distance[u]:
        continue
    for v, w in graph[u]:
        if d + w < distance[v]:
            distance[v] = d + w
            heappush(heap, (d + w, v))
print(*distance)
