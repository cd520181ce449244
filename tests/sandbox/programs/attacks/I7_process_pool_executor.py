# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "needs": ["unix"], "cpu_seconds": 2}
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print("ESCAPED: processes say", list(pool.map(abs, [-1, 2])))
