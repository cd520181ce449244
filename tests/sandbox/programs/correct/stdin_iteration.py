# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "b\na\nc\n", "expected": "a\nb\nc\n"}
import sys

print("\n".join(sorted(line.strip() for line in sys.stdin)))
