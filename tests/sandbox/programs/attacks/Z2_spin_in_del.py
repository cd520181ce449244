# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["time_limit", "wrong_answer", "runtime_error"], "cpu_seconds": 1}
class Spin:
    def __del__(self):
        while True:
            pass


keep = Spin()
print("end")
