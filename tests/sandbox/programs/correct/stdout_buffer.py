# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "raw bytes\ntext\n"}
import sys

sys.stdout.buffer.write(b"raw bytes\n")
sys.stdout.flush()
print("text")
