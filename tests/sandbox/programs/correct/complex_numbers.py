# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3 4\n", "expected": "5.0\n(-7+24j)\n1.5708\n3.0 -4.0\n"}
import cmath

a, b = map(float, input().split())
z = complex(a, b)
print(abs(z))
print(z * z)
print(f"{cmath.phase(1j):.4f}")
print(z.conjugate().real, z.conjugate().imag)
