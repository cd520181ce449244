# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit"], "cpu_seconds": 1}
import time

time.sleep(3600)
