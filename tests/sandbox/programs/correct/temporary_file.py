# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "a b c\n", "expected": "A B C\n"}
import tempfile

with tempfile.TemporaryFile("w+") as file:
    file.write(input().upper())
    file.seek(0)
    print(file.read())
