# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["linux"]}
import os

for folder in ("/", "/etc", "/proc", "/usr/share", os.path.expanduser("~")):
    try:
        print("ESCAPED:", folder, sorted(os.listdir(folder))[:5])
    except OSError as error:
        print("blocked", error.errno)
