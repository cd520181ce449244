# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5 4\n5 3 8 6 2\nmin 0 4\nset 2 1\nmin 0 3\nmin 3 4\n", "expected": "2\n1\n2\n"}
import sys


def main():
    data = iter(sys.stdin.read().split())
    n, q = int(next(data)), int(next(data))
    size = 1 << (n - 1).bit_length()
    tree = [float("inf")] * (2 * size)
    for i in range(n):
        tree[size + i] = int(next(data))
    for i in range(size - 1, 0, -1):
        tree[i] = min(tree[2 * i], tree[2 * i + 1])
    for _ in range(q):
        kind, a, b = next(data), int(next(data)), int(next(data))
        if kind == "set":
            a += size
            tree[a] = b
            while a > 1:
                a //= 2
                tree[a] = min(tree[2 * a], tree[2 * a + 1])
        else:
            low, high, best = a + size, b + size + 1, float("inf")
            while low < high:
                if low & 1:
                    best = min(best, tree[low])
                    low += 1
                if high & 1:
                    high -= 1
                    best = min(best, tree[high])
                low //= 2
                high //= 2
            print(best)


main()
