# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "30\n", "expected": "832040\n"}
import sys
from threading import Thread, stack_size

sys.setrecursionlimit(300000)
stack_size(2**28)


class Solver(Thread):
    def run(self):
        memo = {0: 0, 1: 1}

        def fib(n):
            if n not in memo:
                memo[n] = fib(n - 1) + fib(n - 2)
            return memo[n]

        self.answer = fib(int(input()))


solver = Solver()
solver.start()
solver.join()
print(solver.answer)
