# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "memory_limit", "time_limit"]}
import sys

sys.setrecursionlimit(2**31 - 1)


class Deep:
    def __repr__(self):
        return repr([self])

    def __getattr__(self, name):
        return getattr(self, name + "x")


print(Deep())
