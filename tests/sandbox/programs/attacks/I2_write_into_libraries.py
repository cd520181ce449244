# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import json
import os
import sys

for folder in {os.path.dirname(json.__file__), *sys.path, sys.prefix}:
    path = os.path.join(folder or ".", "zz_sandbox_escape.py")
    if not os.path.isabs(path):
        continue
    try:
        open(path, "w").close()
        print("ESCAPED: wrote", path)
        os.remove(path)
    except OSError:
        pass
