# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "66400\n", "expected_from": "str(decimal.Context(prec=30000).power(2, 66400)) + '\\n19989'"}
import sys

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
n = int(input())
print(2**n)
print(len(str(2**n)))
