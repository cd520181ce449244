# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "dangerous": true, "needs": ["unix"]}
import os
import signal

parent = os.getppid()
if parent > 1:
    os.kill(parent, signal.SIGKILL)
    print("ESCAPED: killed", parent)
