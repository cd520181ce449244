# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "push 3\npush 4\nadd\nprint\nhalt\n", "expected": "7\nPoint(x=1, y=2) True origin\n"}
import sys
from dataclasses import dataclass, field, replace


@dataclass(order=True, frozen=True)
class Point:
    x: int
    y: int = 0


@dataclass
class Machine:
    stack: list = field(default_factory=list)

    def run(self, line):
        match line.split():
            case ["push", number]:
                self.stack.append(int(number))
            case ["add"]:
                self.stack.append(self.stack.pop() + self.stack.pop())
            case ["print" | "show"]:
                print(self.stack[-1])
            case _:
                return False
        return True


machine = Machine()
for line in sys.stdin:
    if not machine.run(line):
        break
point = Point(1, 2)
match replace(point, x=0, y=0):
    case Point(x=0, y=0):
        name = "origin"
    case Point(x=x):
        name = x
print(point, point < Point(2), name)
