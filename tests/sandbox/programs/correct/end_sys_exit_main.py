# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2 3\n", "expected": "5\n"}
import sys


def main() -> None:
    print(sum(map(int, input().split())))


if __name__ == "__main__":
    sys.exit(main())
