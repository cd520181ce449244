# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "3\n", "expected": "add 7 4\ncube 27 cubes a number\n1 True\n"}
import functools
import inspect


def traced(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        wrapper.calls += 1
        return f.__name__, f(*args, **kwargs)

    wrapper.calls = 0
    return wrapper


def times(n):
    def decorate(f):
        return lambda *a: [f(*a) for _ in range(n)][-1]

    return decorate


@traced
def add(a, b=4):
    return a + b


@traced
@times(2)
def unused():
    return None


@traced
def cube(x):
    """cubes a number"""
    return x**3


n = int(input())
print(*add(n), inspect.signature(add).parameters["b"].default)
print(*cube(n), cube.__doc__)
print(add.calls, callable(cube))
