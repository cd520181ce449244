# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "6 3 8\n[1, 3, 6]\n[('a', 2), ('b', 1)]\n[1, 2, 3, 4]\n[(1, 'x'), (2, 0)]\n[0, 1, 4]\n[('a', 'b'), ('b', 'c')]\n"}
from itertools import (
    accumulate,
    chain,
    combinations,
    count,
    groupby,
    islice,
    pairwise,
    permutations,
    product,
    zip_longest,
)

n = int(input())
print(len(list(permutations(range(n)))), len(list(combinations(range(n), 2))), len(list(product([0, 1], repeat=n))))
print(list(accumulate([1, 2, 3])))
print([(key, len(list(group))) for key, group in groupby("aab")])
print(list(chain([1, 2], [3], [4])))
print(list(zip_longest([1, 2], ["x"], fillvalue=0)))
print(list(islice((i * i for i in count()), n)))
print(list(pairwise("abc")))
