# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3 4\n5 6\n", "expected": "18\n"}
print(sum(map(int, open(0).read().split())))
