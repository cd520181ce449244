# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit", "wrong_answer"], "expected": "7\n"}
a, b = map(int, input().split())
print(a + b)
for _ in range(3 << 20):
    print()
    print("x")
