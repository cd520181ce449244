# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "[[1, 2], {'a': (3, None)}, -4.5e1]\n", "expected": "[1, 2] (3, None) -45.0\n"}
from ast import literal_eval

value = literal_eval(input())
print(value[0], value[1]["a"], value[2])
