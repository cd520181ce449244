# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"], "escapes": true}
import os

with open("script", "w") as file:
    file.write("#!/bin/sh\necho ESCAPED: executed its own file\n")
os.chmod("script", 0o755)
os.execv("./script", ["script"])
