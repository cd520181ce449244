# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "first\nsecond\nthird\n"}
import atexit

atexit.register(print, "third")


@atexit.register
def second():
    print("second")


print("first")
