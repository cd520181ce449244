# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "7\n", "expected": "7 ['a', 'b']\n8 True\n"}
value = int(input())


def f(a, b):
    return sorted(locals())


print(globals()["value"], f(1, 2))
globals()["other"] = value + 1
print(other, "__name__" in dir())
