# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "output_limit", "memory_limit", "time_limit"], "kind": "function", "function": "f", "args": [3], "value": 7, "cpu_seconds": 2}
# Small in memory, 2**60 values as text.
def f(x):
    value = ["bomb"]
    for _ in range(60):
        value = [value, value]
    return value
