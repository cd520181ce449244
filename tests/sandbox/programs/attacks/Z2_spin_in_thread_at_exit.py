# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit", "wrong_answer"], "cpu_seconds": 1}
import threading
import time


def spin():
    while True:
        time.sleep(0)


threading.Thread(target=spin, daemon=False).start()
raise SystemExit(0)
