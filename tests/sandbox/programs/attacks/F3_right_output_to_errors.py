# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["wrong_answer"], "expected": "7\n"}
import sys

a, b = map(int, input().split())
print(a + b, file=sys.stderr)
