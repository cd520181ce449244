# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1 5 9\n2 3 10 11\n", "expected": "1 2 3 5 9 10 11\n"}
def merge(first, second):
    first, second = iter(first), iter(second)
    out = []
    try:
        a = next(first)
        b = next(second)
        while True:
            if a <= b:
                out.append(a)
                a = None
                a = next(first)
            else:
                out.append(b)
                b = None
                b = next(second)
    except StopIteration:
        out += [x for x in (a, b) if x is not None]
    return out + list(first) + list(second)


print(*merge(map(int, input().split()), map(int, input().split())))
