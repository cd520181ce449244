# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "abc\nde", "expected": "3\n2\n"}
try:
    while True:
        print(len(input()))
except EOFError:
    pass
