# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit"], "cpu_seconds": 5}
while True:
    print("a" * 100000)
