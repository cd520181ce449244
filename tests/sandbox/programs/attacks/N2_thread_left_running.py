# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit", "wrong_answer"], "cpu_seconds": 1}
import threading


def spin():
    while True:
        pass


threading.Thread(target=spin).start()
print("main is done")
