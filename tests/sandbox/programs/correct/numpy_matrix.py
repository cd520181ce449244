# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2\n1 1\n1 0\n10\n", "expected": "89 55\n55 34\n", "needs": ["numpy"]}
import numpy as np

n = int(input())
m = np.array([list(map(int, input().split())) for _ in range(n)], dtype=np.int64)
for row in np.linalg.matrix_power(m, int(input())):
    print(*row)
