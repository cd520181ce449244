# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import builtins
import os
import sys

# What one run leaves, the next one must not find.
mark = "left_by_an_earlier_run"
if hasattr(builtins, mark) or mark in os.environ or hasattr(sys, mark) or os.path.exists(mark):
    print("ESCAPED: found what an earlier run left")
setattr(builtins, mark, 1)
setattr(sys, mark, 1)
os.environ[mark] = "1"
try:
    open(mark, "w").close()
except OSError:
    pass
