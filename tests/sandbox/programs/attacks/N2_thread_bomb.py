# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "memory_limit", "time_limit"], "dangerous": true, "cpu_seconds": 1}
import threading
import time

made = 0
try:
    while made < 50000:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
if made > 10000:
    print("ESCAPED: threads", made)
print(made)
