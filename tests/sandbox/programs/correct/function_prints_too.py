# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "double", "args": [4], "value": 8}
import sys


def double(x):
    print("debug", x)
    print("more", file=sys.stderr)
    return 2 * x


if __name__ == "__main__":
    print(double(int(input())))
