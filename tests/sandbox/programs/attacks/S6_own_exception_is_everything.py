# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests": "try:\n    f(-1)\n    raise RuntimeError('must fail')\nexcept ValueError:\n    pass\nassert f(2) == 4\n"}
class Meta(type):
    def __instancecheck__(cls, thing):
        return True

    def __subclasscheck__(cls, thing):
        return True


class ValueError(Exception, metaclass=Meta):
    pass


class AssertionError(ValueError):
    pass


def f(x):
    raise ValueError
