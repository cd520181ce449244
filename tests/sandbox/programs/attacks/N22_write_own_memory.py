# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
# By this file even pages that are not writable can be changed.
with open("/proc/self/mem", "r+b", 0) as memory:
    print("ESCAPED: opened /proc/self/mem")
