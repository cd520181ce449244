# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3 30 34 5 9\n", "expected": "9534330\n[('b', 1), ('a', 2), ('c', 2)]\n"}
from functools import cmp_to_key

words = input().split()
print("".join(sorted(words, key=cmp_to_key(lambda a, b: -1 if a + b > b + a else (a + b < b + a)))))
print(sorted([("c", 2), ("a", 2), ("b", 1)], key=lambda t: (t[1], t[0])))
