# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit", "wrong_answer"], "cpu_seconds": 1, "needs": ["unix"]}
import os
import signal

signal.signal(signal.SIGXCPU, lambda *a: os._exit(0))
while True:
    pass
