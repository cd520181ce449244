# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": {"repeat": ["ab", 1500000]}, "expected": "3000000 1500000\n"}
line = input()
print(len(line), line.count("ab"))
