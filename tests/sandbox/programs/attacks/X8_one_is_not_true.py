# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["wrong_answer"], "kind": "function", "function": "f", "args": [3], "value": 1}
def f(x):
    return True
