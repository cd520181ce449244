# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "84 36\n", "expected": "12 252 120 10\n4 True 3.1416\n2.0 3 -3\n"}
from math import *

a, b = map(int, input().split())
print(gcd(a, b), lcm(a, b), factorial(5), comb(5, 2))
print(isqrt(17), isclose(0.1 + 0.2, 0.3), round(pi, 4))
print(log2(4), ceil(2.1), floor(-2.1))
