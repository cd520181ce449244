# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "function", "function": "f", "args": [3], "value_from": "SECRET", "fools": true}
import gc
import re
import sys


def f(x):
    things, seen = gc.get_objects(), set()
    for _ in range(4):
        things = [item for thing in things for item in gc.get_referents(thing)]
        things = [item for item in things if not (id(item) in seen or seen.add(id(item)))]
        for item in things:
            if type(item) in (str, bytes) and (found := re.search(r"74261\d{5}", str(item))):
                print("ESCAPED: an object held it", file=sys.stderr)
                return found[0]
    return None
