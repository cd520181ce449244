# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": {"repeat": ["never read\n", 200000]}, "expected": "42\n"}
print(42)
