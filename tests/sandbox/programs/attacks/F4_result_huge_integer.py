# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "output_limit", "wrong_answer", "time_limit"], "kind": "function", "function": "f", "args": [3], "value": 7, "cpu_seconds": 2}
def f(x):
    return 1 << 40000000
