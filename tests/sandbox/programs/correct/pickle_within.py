# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "Point(1, 2) [1, {'a': (2, 3)}]\nTrue\n"}
import copyreg
import pickle


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __repr__(self):
        return f"Point({self.x}, {self.y})"


copyreg.pickle(Point, lambda p: (Point, (p.x, p.y)))
print(pickle.loads(pickle.dumps(Point(1, 2))), pickle.loads(pickle.dumps([1, {"a": (2, 3)}])))
print(pickle.dumps(1) == pickle.dumps(1))
