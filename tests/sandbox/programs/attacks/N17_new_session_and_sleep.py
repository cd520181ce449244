# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit", "runtime_error"], "cpu_seconds": 1, "needs": ["unix"]}
import os
import time

try:
    os.setsid()
except OSError:
    pass
try:
    os.setpgid(0, 0)
except OSError:
    pass
time.sleep(3600)
