# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "memory_limit", "output_limit"], "races": true}
import os

# No name is left of them, but each takes space while it is open.
files, total = [], 0
try:
    for i in range(200):
        file = open("hidden", "wb", 0)
        os.unlink("hidden")
        files.append(file)
        for _ in range(8):
            total += file.write(bytes(1 << 20))
except OSError as error:
    print("blocked", error.errno)
print("ESCAPED: hidden files of" if total >= 1500 << 20 else "little", total)
