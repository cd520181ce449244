# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "stdin": "\u00ff\u0000\u001b 3\n"}
import sys

data = sys.stdin.buffer.read()
print(int(data.split()[0]))
