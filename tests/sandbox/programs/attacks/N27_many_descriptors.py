# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os

made = []
try:
    while len(made) < 100000:
        made.append(os.dup(1))
except OSError as error:
    print("blocked", error.errno)
print("ESCAPED: descriptors" if len(made) >= 100000 else "few", len(made))
