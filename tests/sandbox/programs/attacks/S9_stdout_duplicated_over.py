# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os

# Whatever is open beyond the three becomes standard output, and the other way round.
for fd in range(3, 256):
    try:
        os.dup2(fd, 1)
        os.write(1, b"true\n")
    except OSError:
        continue
for fd in range(3, 256):
    try:
        os.dup2(1, fd)
    except OSError:
        continue
