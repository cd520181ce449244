# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit"]}
for _ in range(150):
    print("a" * (1 << 20))
