# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit"]}
import os

data = b"y" * (1 << 20)
while True:
    os.write(1, data)
