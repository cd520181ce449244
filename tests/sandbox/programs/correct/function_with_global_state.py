# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "step", "args": [5], "value": [5, 1]}
calls = 0


def step(x):
    global calls
    calls += 1
    return [x, calls]
