# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "4\n", "expected": "[0, 1, 1, 2]\n1 3 6\n[1, 2, 3]\n[0, 1, 2] 15\nclosed\n"}
def fib(n):
    a, b = 0, 1
    for _ in range(n):
        yield a
        a, b = b, a + b


def running():
    total = 0
    try:
        while True:
            total += yield total
    finally:
        print("closed")


def flat(tree):
    for node in tree:
        if isinstance(node, list):
            yield from flat(node)
        else:
            yield node


def counter():
    n = -1

    def step():
        nonlocal n
        n += 1
        return n

    return step


def recursive():
    def go(n):
        return n if n == 0 else n + go(n - 1)

    return go


print(list(fib(int(input()))))
sums = running()
next(sums)
print(*(sums.send(x) for x in (1, 2, 3)))
print(list(flat([1, [2, [3]]])))
step = counter()
print([step() for _ in range(3)], recursive()(5))
sums.close()
