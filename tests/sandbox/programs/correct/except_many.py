# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "TypeError\nAttributeError\nAssertionError\nNameError\nUnboundLocalError\nNotImplementedError\nLookupError\nArithmeticError\nUnicodeDecodeError\nImportError\nFileNotFoundError\nMemoryError\nKeyboardInterrupt\nGeneratorExit\n"}
def unbound():
    y = x  # noqa
    x = 1
    return y


def raises(error):
    raise error


CASES = [
    lambda: "1" + 1,
    lambda: [].push(1),
    lambda: (_ for _ in ()).throw(AssertionError("no")),
    lambda: undefined_name,
    unbound,
    lambda: raises(NotImplementedError),
    lambda: raises(LookupError("x")),
    lambda: raises(ArithmeticError),
    lambda: b"\xff".decode(),
    lambda: __import__("math", fromlist=["nothing"]) and exec("from math import nothing"),
    lambda: open("no_such_file.txt"),
    lambda: raises(MemoryError),
    lambda: raises(KeyboardInterrupt),
    lambda: raises(GeneratorExit),
]
for case in CASES:
    try:
        case()
    except BaseException as error:
        print(type(error).__name__)
