# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "Traceback (most recent call last):\nZeroDivisionError: division by zero\n3\n"}
import sys
import traceback

try:
    1 / 0
except ZeroDivisionError:
    lines = traceback.format_exc().splitlines()
    print(lines[0])
    print(lines[-1])
    traceback.print_exc(file=sys.stderr)
print(len(sys.exc_info()))
