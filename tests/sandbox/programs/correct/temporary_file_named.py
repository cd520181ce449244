# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "42\n", "expected": "42\nFalse\n"}
import os
import tempfile

with tempfile.NamedTemporaryFile("w+", dir=".", suffix=".txt", delete=False) as file:
    file.write(input())
with open(file.name) as again:
    print(again.read())
os.remove(file.name)
print(os.path.exists(file.name))
