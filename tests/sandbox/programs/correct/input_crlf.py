# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2\r\n3 4\r\n5 6\r\n", "expected": "7\n11\n"}
for _ in range(int(input())):
    print(sum(map(int, input().split())))
