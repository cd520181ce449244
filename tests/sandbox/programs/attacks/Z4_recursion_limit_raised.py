# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "memory_limit", "time_limit"], "cpu_seconds": 3}
import sys

sys.setrecursionlimit(2**31 - 1)


def f(n):
    return f(n + 1)


f(0)
