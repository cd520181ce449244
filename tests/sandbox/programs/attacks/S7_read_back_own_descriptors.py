# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os
import sys

# Standard output and error must not be readable, nor standard input writable.
for fd in (1, 2):
    try:
        os.lseek(fd, 0, 0)
        data = os.read(fd, 100)
    except OSError:
        continue
    if data:
        print("ESCAPED: read", data, "from", fd, file=sys.stderr)
try:
    os.write(0, b"9 9 9")
    os.lseek(0, 0, 0)
    if os.read(0, 5) == b"9 9 9":
        print("ESCAPED: changed standard input")
    os.ftruncate(0, 0)
    print("ESCAPED: emptied standard input")
except OSError as error:
    print("blocked", error.errno)
