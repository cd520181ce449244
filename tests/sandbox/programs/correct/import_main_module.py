# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "7 True\n"}
import sys

import __main__

value = 7
print(__main__.value, sys.modules["__main__"] is __main__)
