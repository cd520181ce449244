# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3 1 2\n", "expected": "2\nend\n"}
items = [int(x) for x in input().split()]
i = 1
try:
    while True:
        i = items[i] + 1
        if i == 2:
            print(i)
except IndexError:
    print("end")
