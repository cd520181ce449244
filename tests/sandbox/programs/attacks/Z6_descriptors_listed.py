# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os
import stat
import sys

# Beyond the three, only what the sandbox gives it: a file, a folder or a socket of others is a way out.
for fd in range(3, 1024):
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        continue
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode):
        try:
            print("ESCAPED: folder", fd, os.listdir(fd)[:3])
        except OSError:
            pass
        try:
            data = os.pread(fd, 40, 0)
        except OSError:
            continue
        if data:
            print("ESCAPED: file", fd, data, file=sys.stderr)
    print(fd, stat.S_IFMT(mode))
