# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "9 3 7 1 8 2\n", "expected": "1 2 3 7 8 9\nTrue\n"}
import random

random.seed(20)


def quick(items):
    if len(items) <= 1:
        return items
    pivot = random.choice(items)
    return (
        quick([x for x in items if x < pivot]) + [x for x in items if x == pivot] + quick([x for x in items if x > pivot])
    )


items = list(map(int, input().split()))
random.shuffle(items)
print(*quick(items))
print(all(0 <= random.random() < 1 and 1 <= random.randint(1, 6) <= 6 for _ in range(100)))
