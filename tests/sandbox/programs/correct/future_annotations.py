# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "2\n", "expected": "Node | None\n3\n"}
"""A docstring before the future import."""
from __future__ import annotations

import sys


class Node:
    def __init__(self, value: int, rest: Node | None = None) -> None:
        self.value = value
        self.rest: Node | None = rest


def length(node: Node | None) -> int:
    return 0 if node is None else 1 + length(node.rest)


node = Node(int(sys.stdin.readline()), Node(1, Node(0)))
print(Node.__init__.__annotations__["rest"])
print(length(node))
