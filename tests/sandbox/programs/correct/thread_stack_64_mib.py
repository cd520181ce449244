# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5 1 4 2 3\n", "expected": "1 2 3 4 5\n"}
import threading


def merge_sort(items):
    if len(items) < 2:
        return items
    middle = len(items) // 2
    left, right = merge_sort(items[:middle]), merge_sort(items[middle:])
    out = []
    while left and right:
        out.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
    return out + left + right


def main():
    print(*merge_sort(list(map(int, input().split()))))


threading.stack_size(2**26)
threading.Thread(target=main).start()
