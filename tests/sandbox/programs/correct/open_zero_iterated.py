# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2\n3 4\n5 6\n", "expected": "12\n30\n"}
n, *rows = [list(map(int, line.split())) for line in open(0)]
for a, b in rows:
    print(a * b)
