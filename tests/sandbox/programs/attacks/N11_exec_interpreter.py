# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"], "escapes": true}
import os
import sys

# The same interpreter anew would shed all that was prepared in this one.
for path in (sys.executable, os.path.realpath(sys.executable or ""), "/proc/self/exe", "/usr/bin/python3"):
    try:
        os.execv(path, ["python3", "-I", "-c", "print('ESCAPED: a new interpreter')"])
    except (OSError, ValueError) as error:
        print("blocked", error)
