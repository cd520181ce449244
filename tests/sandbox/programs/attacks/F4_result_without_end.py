# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit", "memory_limit", "output_limit"], "kind": "function", "function": "f", "args": [3], "value": 7, "cpu_seconds": 1}
import itertools


class Endless(list):
    def __iter__(self):
        return itertools.count()

    def __len__(self):
        return 1


def f(x):
    return Endless()
