# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1234567.5\n", "expected": "1.23457e+06 1,234,567.5\nTrue\n"}
import locale

x = float(input())
print(f"{x:n} {x:,}")
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
print(float("0.5") == 0.5)
