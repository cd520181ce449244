# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "function", "function": "f", "args": [3], "value": 7}
import os


class Boom:
    def __reduce__(self):
        return (os.write, (2, b"ESCAPED: the result was pickled\n"))

    def __repr__(self):
        return "7"

    def __json__(self):
        return 7


def f(x):
    return Boom()
