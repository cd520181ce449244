# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1 2 3\n4 5 6\n", "expected": "4 13 28 27 18\nTrue\n", "needs": ["numpy"]}
import numpy as np

a, b = (np.array(input().split(), float) for _ in range(2))
size = 8
print(*np.rint(np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size), size)).astype(int)[:5])
rng = np.random.default_rng(0)
np.random.seed(1)
print(bool((rng.random(100) < 1).all() and np.random.randint(0, 5, 10).max() < 5))
