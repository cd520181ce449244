# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "True CPython True\na/b.txt ('a/b', '.txt') b.txt\nFalse none True\nTrue\n"}
import os
import platform
import sys

print(sys.version_info >= (3, 8), platform.python_implementation(), sys.maxsize > 2**32)
print(os.path.join("a", "b.txt"), os.path.splitext("a/b.txt"), os.path.basename("a/b.txt"))
print(os.path.exists("input.txt"), os.environ.get("ONLINE_JUDGE_X", "none"), os.path.isdir(os.getcwd()))
print("LOCAL_DEBUG_X" not in os.environ)
