# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "3\n"}
import sys


def main():
    n = int(input())
    print(n)
    sys.exit()


main()
print("unreachable")
