# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit", "memory_limit", "runtime_error"], "cpu_seconds": 1}
import sys

sys.set_int_max_str_digits(0)
print(len(str(3**9000000)))
