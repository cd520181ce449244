# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "20000\n", "expected": "200010000\n"}
from types import GeneratorType


# Recursion without the stack of the interpreter: a decorator that runs generators on a list.
def bootstrap(f, stack=[]):
    def wrapped(*args):
        if stack:
            return f(*args)
        to = f(*args)
        while True:
            if type(to) is GeneratorType:
                stack.append(to)
                to = next(to)
            else:
                stack.pop()
                if not stack:
                    return to
                to = stack[-1].send(to)

    return wrapped


@bootstrap
def total(n):
    if n == 0:
        yield 0
    rest = yield total(n - 1)
    yield rest + n


print(total(int(input())))
