# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit", "runtime_error", "wrong_answer"]}
import sys

for _ in range(2000):
    print("e" * 10000, file=sys.stderr)
sys.exit(1)
