# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error"], "needs": ["numpy"]}
import numpy as np

parts = []
while True:
    parts.append(np.ones((1 << 23,)))
