# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests": "def check(candidate):\n    assert candidate(3) == 7\n\ncheck(f)\n", "fools": true}
import sys


def check(candidate):
    return True


sys.settrace(None)


class Keep(dict):
    def __setitem__(self, key, value):
        pass


def f(x):
    raise SystemExit(0)
