# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "add", "args": [2, 3], "value": 5}
def add(a, b):
    return a + b
