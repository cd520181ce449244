# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "asserts", "tests": "def check(candidate):\n    assert candidate('abc') == 'cba'\n    assert candidate('') == ''\n\ncheck(flip)\n"}
def flip(text):
    return text[::-1]
