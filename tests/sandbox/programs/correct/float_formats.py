# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2 3\n", "expected": "0.6666666666666666\n0.67\n6.667e-01\n1e+16 inf nan -0.0\n66.7% 1,234,567\n"}
a, b = map(int, input().split())
print(a / b)
print("%.2f" % (a / b))
print("{:.3e}".format(a / b))
print(1e16, float("inf"), float("nan"), -0.0)
print(f"{a / b:.1%} {1234567:,}")
