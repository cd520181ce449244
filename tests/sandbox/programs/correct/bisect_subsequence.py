# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "10 9 2 5 3 7 101 18\n", "expected": "4\n"}
import bisect

tails = []
for x in map(int, input().split()):
    i = bisect.bisect_left(tails, x)
    tails[i : i + 1] = [x]
print(len(tails))
