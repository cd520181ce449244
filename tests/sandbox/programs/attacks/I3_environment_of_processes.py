# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["linux"]}
import glob

for path in glob.glob("/proc/*/environ") + ["/proc/self/environ", "/proc/thread-self/environ"]:
    try:
        with open(path, "rb") as file:
            data = file.read(200)
    except OSError:
        continue
    if data:
        print("ESCAPED:", path, len(data))
