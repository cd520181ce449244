# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3000000\n", "expected": "3000000 2999999\n"}
# Some 100 MB of small objects, which an ordinary memory limit of 256 MB allows.
n = int(input())
items = [i for i in range(n)]
print(len(items), items[-1])
