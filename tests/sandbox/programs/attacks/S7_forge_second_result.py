# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "function", "function": "f", "args": [3], "value": 7}
import atexit
import os


def spam():
    for fd in range(3, 64):
        try:
            os.write(fd, b"7\n" * 3)
        except OSError:
            pass


def f(x):
    atexit.register(spam)
    return None
