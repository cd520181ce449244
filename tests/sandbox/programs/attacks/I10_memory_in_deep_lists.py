# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error", "time_limit"], "cpu_seconds": 3}
chain = None
while True:
    chain = [chain, {}]
