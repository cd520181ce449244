# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2 1 3\n1 3 5\n", "expected": "0.8 1.4\n5.0\n", "needs": ["numpy"]}
import numpy as np

rows = np.array([input().split() for _ in range(2)], dtype=float)
x = np.linalg.solve(rows[:, :2], rows[:, 2])
print(*np.round(x, 6))
print(round(float(np.linalg.det(rows[:, :2])), 6))
