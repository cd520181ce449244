# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "namespace(x=1)\n(7, 3)\nmappingproxy True\nabc\n"}
import collections.abc
import contextvars
import difflib
import graphlib
import numbers
import types

print(types.SimpleNamespace(x=1))
print((lambda *, a, b: (a, b))(**{"a": 7, "b": 3}))
print(type(types.MappingProxyType({})).__name__, isinstance(1, numbers.Number) and isinstance([], collections.abc.Sequence))
print(*graphlib.TopologicalSorter({"c": "b", "b": "a"}).static_order(), sep="")
assert difflib.get_close_matches("appel", ["ape", "apple"])[0] == "apple"
assert contextvars.ContextVar("x", default=3).get() == 3
