# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests": "assert f(3) == 7\n", "fools": true}
import sys


def f(x):
    return 0


sys.exit(0)
