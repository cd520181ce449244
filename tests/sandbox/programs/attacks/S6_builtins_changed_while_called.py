# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests": "assert f(3) == 7\nassert len(str(f(3))) == 1\n"}
import sys


def f(x):
    for frame in sys._current_frames().values():
        while frame:
            frame.f_globals["AssertionError"] = SystemExit
            frame.f_builtins["AssertionError"] = SystemExit
            frame = frame.f_back
    return 0
