# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "green\n", "expected": "Color.GREEN 2\n3 True\n['RED', 'GREEN']\n"}
from enum import Enum, IntFlag, auto


class Color(Enum):
    RED = auto()
    GREEN = auto()


class Right(IntFlag):
    READ = 1
    WRITE = 2


color = Color[input().upper()]
print(color, color.value)
rights = Right.READ | Right.WRITE
print(int(rights), Right.WRITE in rights)
print([c.name for c in Color])
