# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "asserts", "tests": "assert pairs([1, 2]) == [(1, 1), (2, 4)]\nassert common([1, 2], [2, 3]) == {2}\nassert isinstance(common([], []), set)\n"}
def pairs(items):
    return [(x, x * x) for x in items]


def common(a, b):
    return set(a) & set(b)
