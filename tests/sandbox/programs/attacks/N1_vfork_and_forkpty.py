# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"]}
import os

for call in (os.forkpty, os.fork):
    try:
        child = call()
    except OSError as error:
        print("blocked", error.errno)
        continue
    if child in (0, (0, 0)) or (isinstance(child, tuple) and child[0] == 0):
        os._exit(0)
    print("ESCAPED:", call.__name__)
