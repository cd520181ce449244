# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1/2 1/3 1/6 1/4\n", "expected": "5/4\n5 4\n"}
from fractions import Fraction

total = sum(map(Fraction, input().split()))
print(total)
print(total.numerator, total.denominator)
