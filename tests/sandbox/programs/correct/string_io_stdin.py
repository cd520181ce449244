# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "5\n6\n", "expected": "30\n"}
import io
import sys

sys.stdin = io.StringIO(sys.stdin.read())
print(int(input()) * int(input()))
