# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"]}
import os

# Signal 0 and SIGCONT do no harm; where they pass, SIGKILL would.
import signal

for number in (0, signal.SIGCONT):
    try:
        os.kill(-1, number)
        print("ESCAPED: signal", int(number), "to all")
    except OSError as error:
        print("blocked", error.errno)
