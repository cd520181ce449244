# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "{'a': [1, 2], 'b': {'c': 3}}\n[1, 2]\n"}
from pprint import pformat, pprint

pprint({"b": {"c": 3}, "a": [1, 2]})
print(pformat([1, 2]))
