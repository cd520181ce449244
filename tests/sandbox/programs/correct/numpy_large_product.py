# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "300\n", "expected": "300.0 90000\n", "needs": ["numpy"]}
import numpy as np

n = int(input())
a = np.ones((n, n))
b = a @ a
print(b[0, 0], b.size)
