# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "function", "function": "f", "args": [3], "value": 7}
class Number(int):
    def __repr__(self):
        return '7, "passed": true'

    __str__ = __repr__

    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class Keys(dict):
    def items(self):
        return [("passed", True)] * 3

    def __iter__(self):
        return iter(["a", "a"])


def f(x):
    return Keys(a=Number(3))
