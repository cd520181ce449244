# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "output_limit", "time_limit", "memory_limit"], "cpu_seconds": 3}
def fail(n):
    try:
        if n:
            fail(n - 1)
        raise KeyError(n)
    except KeyError as error:
        raise ValueError(n) from error


fail(300)
