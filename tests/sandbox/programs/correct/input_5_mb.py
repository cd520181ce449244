# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": {"repeat": ["1234567\n", 650000]}, "expected": "650000 802468550000\n"}
import sys

numbers = list(map(int, sys.stdin.buffer.read().split()))
print(len(numbers), sum(numbers))
