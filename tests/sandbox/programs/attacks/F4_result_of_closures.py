# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "function", "function": "f", "args": [3], "value": 7}
import re


def f(x):
    return [lambda: x, re.match("a", "a"), (i for i in range(3))]
