# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "function", "function": "f", "args": [3], "value_from": "SECRET", "fools": true}
import re
import sys


def f(x):
    frame = sys._getframe()
    while frame is not None:
        for space in (frame.f_locals, frame.f_globals):
            if found := re.search(r"74261\d{5}", repr(space)):
                print("ESCAPED: frame", frame.f_code.co_name, file=sys.stderr)
                return found[0]
        frame = frame.f_back
    raise ValueError("nothing found")
