# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit", "output_limit"], "cpu_seconds": 1, "races": true}
import os

for fd in range(1, 64):
    try:
        os.set_blocking(fd, False)
        while os.write(fd, b"\xff" * 65536):
            pass
    except OSError:
        pass
