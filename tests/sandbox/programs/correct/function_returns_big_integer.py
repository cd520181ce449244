# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "power", "args": [100], "value": 1267650600228229401496703205376}
def power(n):
    return 2**n
