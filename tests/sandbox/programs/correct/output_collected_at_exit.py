# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "0\n1\n2\n"}
import atexit
import io
import sys

buffer = io.BytesIO()
sys.stdout.write = lambda text: buffer.write(text.encode())
atexit.register(lambda: sys.__stdout__.buffer.write(buffer.getvalue()))
for i in range(int(input())):
    print(i)
