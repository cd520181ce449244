# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit", "runtime_error"], "cpu_seconds": 1}
class Slow(Exception):
    def __str__(self):
        while True:
            pass


raise Slow
