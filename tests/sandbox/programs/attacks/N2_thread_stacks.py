# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "memory_limit", "time_limit"], "dangerous": true, "cpu_seconds": 2}
import threading
import time

# Address space by stacks of threads.
threading.stack_size(2**28)
made = 0
try:
    while made < 64:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        made += 1
except (RuntimeError, MemoryError):
    pass
if made == 64:
    print("ESCAPED: 16 GiB of stacks")
