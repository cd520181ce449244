# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "function", "function": "counts", "args": ["abca"], "value": {"a": 2, "b": 1, "c": 1}}
from collections import Counter


def counts(text):
    return Counter(text)
