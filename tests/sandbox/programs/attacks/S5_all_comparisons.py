# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests": "assert f(3) > 100\nassert 3 in f(1)\nassert abs(f(2) - 3.5) < 1e-6\nassert isinstance(f(1), list)\n", "fools": true}
class Yes:
    def __getattr__(self, name):
        return Yes()

    def __call__(self, *a, **k):
        return True

    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = lambda self, other: True
    __sub__ = __rsub__ = __abs__ = lambda self, *other: Yes()
    __hash__ = object.__hash__
    __class__ = list


def f(x):
    return Yes()
