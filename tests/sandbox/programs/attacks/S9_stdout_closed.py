# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os
import sys

print("late words")
sys.stdout.close()
os.close(1)
os.close(2)
