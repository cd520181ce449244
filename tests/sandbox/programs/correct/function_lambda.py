# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "f", "args": [[3, 1, 2]], "value": [1, 2, 3]}
f = lambda items: sorted(items)
