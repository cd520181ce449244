# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "total", "args": [[1, 2, 3]], "value": 6, "needs": ["numpy"]}
import numpy as np


def total(items):
    return np.array(items).sum()
