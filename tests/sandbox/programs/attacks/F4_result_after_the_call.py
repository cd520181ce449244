# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "kind": "function", "function": "f", "args": [3], "value": 7, "cpu_seconds": 1}
class Slow(list):
    def __iter__(self):
        while True:
            pass


def f(x):
    return Slow([1])
