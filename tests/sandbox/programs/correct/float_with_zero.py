# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1 2\n", "expected": "0.50\n"}
a, b = map(int, input().split())
print(f"{a / b:.2f}")
