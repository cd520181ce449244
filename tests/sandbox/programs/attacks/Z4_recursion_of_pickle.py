# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "memory_limit", "time_limit"]}
import pickle
import sys

sys.setrecursionlimit(10**9)
value = []
for _ in range(1000000):
    value = [value]
pickle.dumps(value)
hash(eval("(" * 90 + ")" * 90))
repr(value)
raise ValueError("survived")
