# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "x\n", "expected": "RuntimeError <- ValueError\ncleanup\n2\n"}
def parse(text):
    try:
        return int(text)
    except ValueError as error:
        raise RuntimeError("bad input") from error
    finally:
        pass


def early():
    for i in range(5):
        try:
            if i == 2:
                return i
        finally:
            if i == 2:
                print("cleanup")


try:
    parse(input())
except RuntimeError as error:
    print(type(error).__name__, "<-", type(error.__cause__).__name__)
print(early())
