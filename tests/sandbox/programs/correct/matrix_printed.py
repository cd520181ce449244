# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "1 2 3\n4 5 6\n7 8 9\n*\n**\n***\n"}
n = int(input())
rows = [[i * n + j + 1 for j in range(n)] for i in range(n)]
print(*(" ".join(map(str, row)) for row in rows), sep="\n")
print("\n".join("*" * (i + 1) for i in range(n)))
