# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "setup": "from typing import List, Optional", "function": "firstEven", "args": [[1, 3]], "value": null}
class Solution:
    def firstEven(self, nums: List[int]) -> Optional[int]:
        for x in nums:
            if x % 2 == 0:
                return x
        return None
