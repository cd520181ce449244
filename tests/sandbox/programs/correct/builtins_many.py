# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3 1 2\n", "expected": "[(0, '3'), (1, '1'), (2, '2')]\n3 1 6 [3, 2, 1] True True\n[2, 1, 3] [1, 3] 2.5 '\u00e9' '\\xe9'\nfrozenset({1}) slice(1, 2, None) (1, 2) b'ab' [97] 3\n{'a': 1} {1: 'x'} 255 True\n"}
tokens = input().split()
print(list(enumerate(tokens)))
numbers = list(map(int, tokens))
print(max(numbers), min(numbers), sum(numbers), sorted(numbers, reverse=True), any(numbers), all(numbers))
print(list(reversed(numbers)), list(filter(lambda x: x % 2, sorted(numbers))), abs(-2.5), repr("é"), ascii("é"))
print(frozenset([1]), slice(1, 2), tuple([1, 2]), bytes("ab", "ascii"), list(bytearray(b"a")), round(2.6))
print(dict(a=1), dict(zip([1], ["x"])), int("ff", 16), id(tokens) == id(tokens))
