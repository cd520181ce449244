# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "0\n1\n4\n"}
import sys

out = []
for i in range(int(sys.stdin.readline())):
    out.append(str(i * i))
sys.stdout.write("\n".join(out))
