# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "4\n5\n", "expected": "9\n"}
import fileinput

print(sum(int(line) for line in fileinput.input()))
