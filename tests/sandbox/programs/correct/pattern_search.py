# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "abababcab aba\n", "expected": "0 2\n"}
text, pattern = input().split()
fail, k = [0] * len(pattern), 0
for i in range(1, len(pattern)):
    while k and pattern[i] != pattern[k]:
        k = fail[k - 1]
    k += pattern[i] == pattern[k]
    fail[i] = k
found, k = [], 0
for i, c in enumerate(text):
    while k and (k == len(pattern) or c != pattern[k]):
        k = fail[k - 1]
    k += c == pattern[k]
    if k == len(pattern):
        found.append(i - k + 1)
print(*found)
