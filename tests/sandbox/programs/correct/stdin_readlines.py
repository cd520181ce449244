# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1\n2\n3\n", "expected": "3\n1\n3\n"}
import sys
from sys import stdin, stdout

lines = stdin.readlines()
stdout.write(f"{len(lines)}\n")
stdout.write(lines[0])
print(lines[-1].strip(), file=sys.stdout)
