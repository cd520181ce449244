# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["memory_limit", "runtime_error", "time_limit", "wrong_answer"], "cpu_seconds": 2}
import re

print(re.match("(" * 50 + "a?" + "){0,9}" * 50, "a" * 1000))
