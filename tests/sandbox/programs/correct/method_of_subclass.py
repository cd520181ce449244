# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "answer", "args": [6], "value": 42}
class Base:
    def times(self, n):
        return 7 * n


class Solution(Base):
    def answer(self, n: int) -> int:
        return super().times(n)
