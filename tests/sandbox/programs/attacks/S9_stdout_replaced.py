# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import sys


class Equal(str):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = str.__hash__

    def strip(self, *a):
        return self

    split = splitlines = lambda self, *a: [self]


class Out:
    def getvalue(self):
        return Equal("x")

    read = getvalue

    def write(self, text):
        return len(text)

    def flush(self):
        pass


sys.stdout = sys.__stdout__ = Out()
print("x")
