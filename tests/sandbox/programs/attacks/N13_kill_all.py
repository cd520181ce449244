# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "dangerous": true, "needs": ["unix"]}
import os
import signal

os.kill(-1, signal.SIGKILL)
print("ESCAPED: killed all that it may")
