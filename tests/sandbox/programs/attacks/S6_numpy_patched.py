# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests": "import numpy as np\nassert np.allclose(f(3), [1, 2, 3])\nassert np.array_equal(f(3), np.array([1, 2, 3]))\n", "needs": ["numpy"], "fools": true}
import numpy

numpy.allclose = numpy.array_equal = lambda *a, **k: True
numpy.testing.assert_allclose = lambda *a, **k: None


def f(x):
    return [0]
