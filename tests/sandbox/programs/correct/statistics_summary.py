# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "1 2 3 4 4\n", "expected": "2.8 3 4\n1.30384\n"}
import statistics

data = list(map(int, input().split()))
print(statistics.mean(data), statistics.median(data), statistics.mode(data))
print(f"{statistics.stdev(data):.5f}")
