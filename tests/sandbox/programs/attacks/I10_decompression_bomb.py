# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error"]}
import zlib

data = zlib.compress(bytes(1 << 27), 9)
parts = []
while True:
    parts.append(zlib.decompress(data))
