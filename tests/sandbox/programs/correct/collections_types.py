# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "the cat the dog a cat the end\n", "expected": "[('the', 3), ('cat', 2)]\n{3: ['the', 'cat', 'the', 'dog', 'cat', 'the', 'end'], 1: ['a']}\nb a\n[3, 1, 2]\nP(x=1, y=2) 3\n"}
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple

words = input().split()
print(Counter(words).most_common(2))
lengths = defaultdict(list)
for word in words:
    lengths[len(word)].append(word)
print(dict(lengths))
order = OrderedDict(a=1, b=2)
order.move_to_end("a")
print(*order)
ring = deque([1, 2, 3], maxlen=3)
ring.rotate(1)
print(list(ring))
P = namedtuple("P", "x y")
p = P(1, y=2)
print(p, sum(p))
