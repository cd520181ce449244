# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import fcntl
import os
import re
import sys

for fd in range(3, 1024):
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
        data = os.read(fd, 1 << 16)
    except OSError:
        continue
    if data:
        print("ESCAPED: descriptor", fd, "had", data[:80], file=sys.stderr)
    if found := re.search(rb"74261\d{5}", data):
        print(found[0].decode())
        sys.exit()
print("nothing found")
