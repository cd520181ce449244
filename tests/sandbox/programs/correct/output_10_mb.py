# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1000000\n", "expected": {"repeat": ["123456789\n", 1000000]}}
import sys

n = int(input())
sys.stdout.write("\n".join(["123456789"] * n))
sys.stdout.write("\n")
