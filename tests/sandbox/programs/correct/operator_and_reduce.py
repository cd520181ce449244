# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2 3 4\n", "expected": "24 5\n[('b', 1), ('a', 2)]\n[4, 3, 2]\n"}
import operator
from functools import partial, reduce

numbers = list(map(int, input().split()))
print(reduce(operator.mul, numbers, 1), reduce(operator.xor, numbers))
print(sorted([("a", 2), ("b", 1)], key=operator.itemgetter(1)))
print(list(map(partial(operator.sub, 6), numbers)))
