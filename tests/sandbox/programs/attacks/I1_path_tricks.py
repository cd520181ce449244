# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["linux"]}
import os

# Names that a filter of texts would miss.
for path in ("../" * 40 + "etc/passwd", "/./etc//passwd", "/proc/self/root/etc/passwd", "/proc/self/cwd/../../../etc/passwd"):
    try:
        with open(path, "rb") as file:
            print("ESCAPED:", file.read(20))
    except OSError:
        pass
try:
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    print("ESCAPED:", os.read(os.open("etc/passwd", os.O_RDONLY, dir_fd=folder), 20))
except OSError:
    pass
