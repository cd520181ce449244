# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "10\n", "expected": "55 __main__\n"}
def main():
    print(sum(range(int(input()) + 1)), __name__)


if __name__ == "__main__":
    main()
