# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "asserts", "tests": "assert add(1, 2) == 3\nassert add('a', 'b') == 'ab'\n"}
def add(a, b):
    return a + b
