# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "build", "args": [2], "value": {"a": [1, [2, null]], "b": {"c": 2.5, "d": true}}}
def build(n):
    return {"a": [1, [n, None]], "b": {"c": 2.5, "d": True}}
