# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "ends", "args": [[4, 5, 6]], "value": [4, 6]}
def ends(items):
    return items[0], items[-1]
