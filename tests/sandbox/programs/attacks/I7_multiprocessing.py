# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "needs": ["unix"], "cpu_seconds": 2}
import multiprocessing
import sys


def work(x):
    return x * x


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        print("ESCAPED: processes say", pool.map(work, range(3)))
