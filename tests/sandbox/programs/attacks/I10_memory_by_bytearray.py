# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error"]}
data = bytearray(1 << 26)
while True:
    data += data
