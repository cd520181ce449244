# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1 2 3 4\n", "expected": "V(4, 6) V(-2, -2) 11 V(2, 4)\nTrue False True\n2 V(1, 2) 1\n[V(1, 2), V(3, 4)]\nmissing x called 5\n"}
from functools import total_ordering


@total_ordering
class V:
    def __init__(self, *parts):
        self.parts = parts

    def __add__(self, other):
        return V(*(a + b for a, b in zip(self.parts, other.parts)))

    def __sub__(self, other):
        return self + other * -1

    def __mul__(self, other):
        if isinstance(other, V):
            return sum(a * b for a, b in zip(self.parts, other.parts))
        return V(*(a * other for a in self.parts))

    __rmul__ = __mul__

    def __eq__(self, other):
        return self.parts == other.parts

    def __lt__(self, other):
        return self.parts < other.parts

    def __hash__(self):
        return hash(self.parts)

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, i):
        return self.parts[i]

    def __repr__(self):
        return f"V{self.parts}"

    def __getattr__(self, name):
        return f"missing {name}"

    def __call__(self, x):
        return f"called {x}"


a, b, c, d = map(int, input().split())
v, w = V(a, b), V(c, d)
print(v + w, v - w, v * w, 2 * v)
print(v == V(1, 2), v > w, v <= w)
print(len(v), v, v[0])
print(sorted({w, v, V(1, 2)}))
print(v.x, v(5))
