# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import os

# A folder that was opened before the rules held leads to everything.
for fd in range(3, 1024):
    for path in ("..", "etc/passwd", "../../../../../../etc/passwd"):
        try:
            found = os.open(path, os.O_RDONLY, dir_fd=fd)
        except OSError:
            continue
        print("ESCAPED: opened", path, "from", fd)
        os.close(found)
