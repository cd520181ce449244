# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "rotate", "args": [[1, 2, 3], 1], "value": [3, 1, 2]}
from collections import deque


def rotate(items, k):
    ring = deque(items)
    ring.rotate(k)
    return ring
