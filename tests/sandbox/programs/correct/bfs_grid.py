# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": {"repeat": ["................................................................................................................................................................................................................................................................................................................................\n", 320]}, "expected": "638\n"}
import sys
from collections import deque

grid = sys.stdin.read().split()
h, w = len(grid), len(grid[0])
distance = [[-1] * w for _ in range(h)]
distance[0][0] = 0
todo = deque([(0, 0)])
while todo:
    i, j = todo.popleft()
    for a, b in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
        if 0 <= a < h and 0 <= b < w and grid[a][b] == "." and distance[a][b] < 0:
            distance[a][b] = distance[i][j] + 1
            todo.append((a, b))
print(distance[-1][-1])
