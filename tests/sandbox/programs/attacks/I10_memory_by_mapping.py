# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error"]}
import mmap

parts = []
while True:
    part = mmap.mmap(-1, 1 << 27)
    for i in range(0, 1 << 27, 4096):
        part[i] = 1
    parts.append(part)
