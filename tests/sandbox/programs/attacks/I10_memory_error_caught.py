# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error", "time_limit", "wrong_answer"], "cpu_seconds": 2}
# Takes all there is, again and again, and never fails.
items = []
while True:
    try:
        items.append(bytearray(1 << 20))
    except MemoryError:
        del items[len(items) // 2 :]
