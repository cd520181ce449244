# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "output_limit", "memory_limit"], "kind": "function", "function": "f", "args": [3], "value": 7}
def f(x):
    value = []
    for _ in range(200000):
        value = [value]
    return value
