# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "sum", "args": [[1, 2]], "value": 3}
def sum(list):
    total = 0
    for int in list:
        total += int
    return total
