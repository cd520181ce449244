# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import inspect
import os
import sys

frame = sys._getframe()
while frame is not None:
    path = frame.f_code.co_filename
    if "solution" not in path and "<" not in path and not path.startswith(os.path.dirname(os.__file__)):
        try:
            print("ESCAPED: read", path, len(open(path).read()))
        except OSError:
            pass
        try:
            print("ESCAPED: source of", frame.f_code.co_name, len(inspect.getsource(frame)))
        except (OSError, TypeError):
            pass
    frame = frame.f_back
