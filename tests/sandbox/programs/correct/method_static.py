# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "reverse", "args": ["stressed"], "value": "desserts"}
class Solution:
    @staticmethod
    def reverse(s: str) -> str:
        return s[::-1]
