# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "HELLO\nignored\nend\n"}
import contextlib
import io

buffer = io.StringIO()
with contextlib.redirect_stdout(buffer):
    print("hello")
print(buffer.getvalue().upper(), end="")
with contextlib.suppress(KeyError):
    {}["x"]
    print("unreachable")


@contextlib.contextmanager
def section():
    try:
        yield
    except ValueError:
        print("ignored")
    finally:
        print("end")


with section():
    raise ValueError
