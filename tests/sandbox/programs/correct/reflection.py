# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "append\n", "expected": "[1, 2] True False\n<class 'int'> True True\n(3, 1) 9 a 97\n['x', 'y'] 5 True\nMade 3\n"}
name = input()
items = [1]
getattr(items, name)(2)
print(items, hasattr(items, "sort"), hasattr(items, "nothing"))
print(type(1), isinstance(True, int), issubclass(bool, int))
print(divmod(10, 3), pow(3, -1, 26), chr(97), ord("a"))


class Thing:
    pass


thing = Thing()
setattr(thing, "x", 5)
thing.y = 1
print(sorted(vars(thing)), thing.__dict__["x"], callable(Thing))
delattr(thing, "y")
Made = type("Made", (Thing,), {"size": 3})
print(Made.__name__, Made().size)
