# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "setup": "from typing import Dict, List, Tuple", "function": "topKFrequent", "args": [["i", "love", "leetcode", "i", "love", "coding"], 2], "value": ["i", "love"]}
import collections
import heapq


class Node:
    def __init__(self, word: str, count: int):
        self.word, self.count = word, count

    def __lt__(self, other: "Node") -> bool:
        return (-self.count, self.word) < (-other.count, other.word)


class Solution:
    LIMIT = 10

    def __init__(self):
        self.calls = 0

    def _counts(self, words: List[str]) -> Dict[str, int]:
        self.calls += 1
        return collections.Counter(words)

    def topKFrequent(self, words: List[str], k: int) -> List[str]:
        heap = [Node(w, c) for w, c in self._counts(words).items()]
        heapq.heapify(heap)
        return [heapq.heappop(heap).word for _ in range(k)]
