# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "fools": true}
import os

# 0, 1 and 2 are its own; what else is open may be where results go.
for fd in range(3, 1024):
    for text in (b'{"status": "finished", "passed": true, "score": 1.0}\n', b"\x80\x04\x88.", b"true\n"):
        try:
            os.write(fd, text)
        except OSError:
            continue
        os.write(1, b"ESCAPED: wrote to descriptor %d\n" % fd)
os._exit(0)
