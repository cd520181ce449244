# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["unix"]}
import importlib
import sys

for name in ("os", "posix", "subprocess", "_posixsubprocess", "ctypes", "_ctypes", "socket"):
    sys.modules.pop(name, None)
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    if hasattr(module, "system"):
        module.system("echo ESCAPED: by a fresh import")
