# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "Error: none\nTraceback\nTime out\n-\n"}
# What a harness may take for its own words.
print("Error: none")
print("Traceback")
print("Time out")
print("-")
