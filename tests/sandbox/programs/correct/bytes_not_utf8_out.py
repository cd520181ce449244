# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "caf\n", "expected": "caf\u00e9\n"}
import sys

sys.stdout.buffer.write(input().encode() + b"\xc3" + b"\xa9" + b"\n")
