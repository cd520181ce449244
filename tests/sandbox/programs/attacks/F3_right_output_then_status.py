# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error"], "expected": "7\n"}
import sys

a, b = map(int, input().split())
print(a + b)
sys.exit(3)
