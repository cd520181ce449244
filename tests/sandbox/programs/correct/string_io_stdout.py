# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "captured: 1 2\n"}
import sys
from io import StringIO

keep, sys.stdout = sys.stdout, StringIO()
print(1, 2)
text, sys.stdout = sys.stdout.getvalue(), keep
print("captured:", text.strip())
