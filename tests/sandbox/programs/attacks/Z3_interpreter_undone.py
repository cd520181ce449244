# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import builtins
import sys

for name in list(sys.modules):
    if name not in ("sys", "builtins"):
        sys.modules[name] = None
sys.path[:] = sys.meta_path[:] = sys.path_hooks[:] = []
sys.stdout = sys.stderr = sys.stdin = sys.__stdout__ = sys.__stderr__ = None
sys.argv = sys.excepthook = None
for name in list(vars(builtins)):
    if not name.startswith("__"):
        try:
            delattr(builtins, name)
        except Exception:
            pass
