# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "setup": "from typing import List\nfrom functools import *\nfrom math import *", "function": "coinChange", "args": [[1, 2, 5], 11], "value": 3}
class Solution:
    def coinChange(self, coins: List[int], amount: int) -> int:
        @cache
        def dfs(rest):
            if rest == 0:
                return 0
            if rest < 0:
                return inf
            return 1 + min(dfs(rest - c) for c in coins)

        best = dfs(amount)
        return -1 if best == inf else best
