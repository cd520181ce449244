# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "60000\n", "expected": "1800030000\n"}
import sys
import threading

sys.setrecursionlimit(10**7)
threading.stack_size(2**27)


def total(n):
    return 0 if n == 0 else n + total(n - 1)


def main():
    print(total(int(input())))


thread = threading.Thread(target=main)
thread.start()
thread.join()
