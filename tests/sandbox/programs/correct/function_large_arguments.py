# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "total", "args_from": "[list(range(200000))]", "value": 19999900000}
def total(items):
    return sum(items)
