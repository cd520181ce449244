# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5 3 8\n", "expected": "3 8 5\nCounter({'a': 2}) 3.0 [(1, 2)]\n1\n"}
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from operator import *
from sys import *

heap = list(map(int, stdin.readline().split()))
heapify(heap)
stdout.write(f"{heappop(heap)} {max(heap)} {min(heap)}\n")
print(Counter("aa"), sqrt(9), list(combinations([1, 2], 2)))
print(bisect_left([1, 2, 3], 2))
