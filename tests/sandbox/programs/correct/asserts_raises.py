# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "asserts", "tests": "try:\n    root(-1)\nexcept ValueError as error:\n    assert 'negative' in str(error)\nelse:\n    assert False, 'no error'\nassert root(9) == 3\n"}
def root(x):
    if x < 0:
        raise ValueError("negative number")
    return int(x**0.5)
