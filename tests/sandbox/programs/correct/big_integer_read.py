# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": {"repeat": ["7", 20000]}, "expected": {"repeat": ["7", 19999, "8\n"]}}
import sys

sys.set_int_max_str_digits(50000)
print(int(input()) + 1)
