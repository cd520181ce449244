# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "listen silent enlist google elgoog\n", "expected": "2\n3 2\n"}
class Anagram:
    def __init__(self, word):
        self.key = "".join(sorted(word))

    def __eq__(self, other):
        return self.key == other.key

    def __hash__(self):
        return hash(self.key)


groups = {}
for word in input().split():
    groups.setdefault(Anagram(word), []).append(word)
print(len(groups))
print(*(len(group) for group in groups.values()))
