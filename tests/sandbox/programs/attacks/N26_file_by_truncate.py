# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "output_limit"]}
import os

for size in (1 << 30, 1 << 40):
    for grow in (lambda fd, n: os.ftruncate(fd, n), lambda fd, n: os.posix_fallocate(fd, 0, min(n, 1 << 28))):
        try:
            with open("big", "wb") as file:
                grow(file.fileno(), size)
            print("ESCAPED: a file of", os.path.getsize("big"))
        except OSError as error:
            print("blocked", error.errno)
