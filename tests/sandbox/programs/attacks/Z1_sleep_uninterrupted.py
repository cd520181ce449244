# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "cpu_seconds": 1, "needs": ["unix"]}
import signal
import time

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU, signal.SIGHUP):
    signal.signal(number, lambda *a: None)
while True:
    try:
        time.sleep(3600)
    except BaseException:
        pass
