# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error", "wrong_answer", "accepted"], "expected": "7\n"}
# A program that runs into the limit, leaves it at that, and is right.
try:
    data = bytearray(1 << 40)
except MemoryError:
    pass
a, b = map(int, input().split())
print(a + b)
