# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit", "time_limit"], "cpu_seconds": 1, "needs": ["unix"]}
import os
import signal

# Goes on after the reader has left.
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
while True:
    try:
        os.write(1, b"x" * 65536)
    except OSError:
        pass
