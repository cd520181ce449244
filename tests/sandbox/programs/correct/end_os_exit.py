# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "fast\n"}
import os
import sys

print("fast")
sys.stdout.flush()
os._exit(0)
