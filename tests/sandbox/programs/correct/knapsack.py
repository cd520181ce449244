# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3 8\n3 30\n4 50\n5 60\n", "expected": "90\n"}
n, w = map(int, input().split())
dp = [0] * (w + 1)
for _ in range(n):
    weight, value = map(int, input().split())
    for c in range(w, weight - 1, -1):
        dp[c] = max(dp[c], dp[c - weight] + value)
print(dp[w])
