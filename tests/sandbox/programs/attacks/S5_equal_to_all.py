# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "kind": "asserts", "tests_from": "'assert f(3) == ' + repr(SECRET) + '\\n'", "fools": true}
class Equal:
    def __eq__(self, other):
        print("ESCAPED: was asked whether it is", other)
        return True

    def __ne__(self, other):
        return False

    def __bool__(self):
        return True

    def __hash__(self):
        return 0


def f(x):
    return Equal()
