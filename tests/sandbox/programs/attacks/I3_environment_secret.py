# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true}
import os
import sys

for name, value in os.environ.items():
    if any(part in name for part in ("SECRET", "TOKEN", "KEY", "PASSWORD", "HF_", "WANDB", "AWS", "RAY_", "CUDA")):
        print("ESCAPED:", name, file=sys.stderr)
        print(value)
