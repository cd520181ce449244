# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit", "memory_limit"], "cpu_seconds": 1}
import gc


class Phoenix:
    def __del__(self):
        alive.append(Phoenix())


alive = []
Phoenix()
while True:
    alive.clear()
    gc.collect()
