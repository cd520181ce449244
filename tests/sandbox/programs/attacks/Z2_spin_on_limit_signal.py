# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "cpu_seconds": 1, "needs": ["unix"]}
import signal

signal.signal(signal.SIGXCPU, lambda *a: None)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGXCPU})
while True:
    pass
