# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["wrong_answer"], "stdin": "", "expected": "1\n2\n"}
print("1 2")
