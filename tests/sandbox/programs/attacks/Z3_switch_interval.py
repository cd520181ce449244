# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "cpu_seconds": 1}
import sys
import threading

sys.setswitchinterval(1e9)


def spin():
    while True:
        pass


threading.Thread(target=spin, daemon=True).start()
while True:
    pass
