# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5\n3 1 4 1 5\n", "expected": "14 1 5\n[1 1 3 4 5]\n[ 3  4  8  9 14]\n", "needs": ["numpy"]}
import sys

import numpy as np

read = sys.stdin.buffer.read
n, *a = map(int, read().split())
a = np.array(a, np.int64)
print(a.sum(), a.min(), a.max())
print(np.sort(a))
print(np.cumsum(a))
