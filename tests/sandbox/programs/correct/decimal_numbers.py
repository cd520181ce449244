# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "0.1 0.2\n", "expected": "0.3\n0.14285714285714285714285714285714285714285714285714\n1.24\n"}
from decimal import ROUND_HALF_UP, Decimal, getcontext

getcontext().prec = 50
a, b = map(Decimal, input().split())
print(a + b)
print(Decimal(1) / 7)
print(Decimal("1.235").quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
