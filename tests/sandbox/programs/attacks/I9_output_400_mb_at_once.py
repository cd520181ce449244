# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit", "memory_limit"]}
import sys

sys.stdout.write("x" * (400 << 20))
