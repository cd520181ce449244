# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "caught 3\nend\n"}
import sys

try:
    sys.exit(3)
except SystemExit as error:
    print("caught", error.code)
print("end")
