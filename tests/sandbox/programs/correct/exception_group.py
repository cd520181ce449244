# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "values ['a', 'b']\nkeys 1\n"}
try:
    raise ExceptionGroup("several", [ValueError("a"), KeyError("k"), ValueError("b")])
except* ValueError as group:
    print("values", [str(e) for e in group.exceptions])
except* KeyError as group:
    print("keys", len(group.exceptions))
