# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "7 9 2\n", "expected": "1 [2, 3] 4\nprime composite prime\n{'a': 1, 'b': 2} [0, 1, 2, 3]\n1 < 2\n"}
first, *middle, last = range(1, 5)
print(first, middle, last)


def kind(n):
    for d in range(2, int(n**0.5) + 1):
        if n % d == 0:
            break
    else:
        return "prime"
    return "composite"


print(*map(kind, map(int, input().split())))
print({**{"a": 1}, **{"b": 2}}, [*range(3), 3])
assert 1 < 2 <= 2 != 3, "chained"
print("%d < %d" % (1, 2))
