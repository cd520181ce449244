# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "function", "function": "f", "args": [3], "value": 7}
def f(x):
    return [float("nan"), float("inf"), -float("inf"), -0.0, 1e400]
