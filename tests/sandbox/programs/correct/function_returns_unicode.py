# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "greet", "args": ["\u65e5\u672c \"x\"\n"], "value": "\u00a1\u65e5\u672c \"x\"\n!"}
def greet(name):
    return f"¡{name}!"
