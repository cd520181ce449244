# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "{\"b\": [1, 2.5, null, true], \"a\": \"\\u00e9\"}\n", "expected": "{\"a\": \"\\u00e9\", \"b\": [1, 2.5, null, true]}\n\u00e9 None True\n"}
import json

data = json.loads(input())
print(json.dumps(data, sort_keys=True))
print(data["a"], data["b"][2], data["b"][3])
