# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "7 8 9\n", "expected": "24\n504\n"}
import os

chunks = []
while chunk := os.read(0, 4):
    chunks.append(chunk)
a, b, c = map(int, b"".join(chunks).split())
os.write(1, f"{a + b + c}\n".encode())
os.write(1, b"%d\n" % (a * b * c))
