# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "True True True\n", "needs": ["unix"]}
import os
import sys
import threading

print(os.getpid() > 0, (os.cpu_count() or 1) >= 1, threading.current_thread() is threading.main_thread())
assert len(sys.argv) == 1 and sys.executable is not None and not sys.stdin.isatty()
