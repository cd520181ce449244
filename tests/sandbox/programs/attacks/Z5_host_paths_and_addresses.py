# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os
import platform
import sys

# Of the machine, nothing may end up in what a model is trained on.
print(object(), lambda: 0, sys.executable, sys.prefix, os.getcwd(), __file__)
print(id(object()), os.getpid(), platform.node(), hash("x"), os.environ.get("HOME"), os.environ.get("USER"))
raise RuntimeError(f"{object()} at {os.path.abspath(sys.prefix)} in {__file__}")
