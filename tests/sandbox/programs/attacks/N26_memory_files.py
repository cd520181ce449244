# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "memory_limit", "output_limit", "time_limit"], "needs": ["linux"], "dangerous": true}
import os

# Memory that no limit of address space counts.
total, files = 0, []
try:
    for i in range(60):
        files.append(os.memfd_create(str(i)))
        for _ in range(64):
            total += os.write(files[-1], bytes(1 << 20))
except OSError as error:
    print("blocked", error.errno)
print("ESCAPED: memory files of" if total > 2 << 30 else "little", total)
