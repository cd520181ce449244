# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "asserts", "tests": "import math\nassert math.isclose(mean([1, 2]), 1.5)\nassert math.isnan(mean([]))\nassert abs(mean([0.1, 0.2]) - 0.15) < 1e-9\n"}
def mean(items):
    return sum(items) / len(items) if items else float("nan")
