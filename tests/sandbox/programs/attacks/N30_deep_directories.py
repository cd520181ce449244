# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "needs": ["unix"]}
import os

depth = 0
try:
    while depth < 4000:
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
        depth += 1
except OSError as error:
    print("blocked", error.errno)
if depth == 4000:
    print("ESCAPED: depth", depth)
print(depth)
