# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": {"repeat": ["1234567\n", 650000]}, "expected": "802468550000\n"}
import sys

total = 0
for line in sys.stdin:
    total += int(line)
print(total)
