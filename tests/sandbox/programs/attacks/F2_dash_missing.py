# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["wrong_answer"], "stdin": "", "expected": "a-\n"}
print("a")
