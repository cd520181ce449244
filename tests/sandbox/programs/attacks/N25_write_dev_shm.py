# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"], "escapes": true}
import os

with open(f"/dev/shm/sandbox_escape_{os.getpid()}", "w") as file:
    file.write("x")
os.remove(file.name)
print("ESCAPED: wrote in /dev/shm")
