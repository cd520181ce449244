# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "1 2 3\n"}
print(1, 2, 3, sep=" ", end="")
