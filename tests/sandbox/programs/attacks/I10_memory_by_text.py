# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error"]}
text = "a" * 1000
for _ in range(60):
    text = text + text
print(len(text))
