# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit", "runtime_error", "wrong_answer", "time_limit"], "cpu_seconds": 1}
import sys

while True:
    sys.stderr.write("e" * 100000)
