# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "answer", "args": [], "value": "x\ny"}
def answer():
    return "x\ny"
