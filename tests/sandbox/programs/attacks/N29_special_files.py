# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import os
import stat

# A pipe with a name blocks who opens it; a file with such a name troubles who prints it.
for make in (
    lambda: os.mkfifo("pipe"),
    lambda: os.mknod("plain", stat.S_IFREG | 0o600),
    lambda: os.mknod("null", stat.S_IFCHR | 0o600, os.makedev(1, 3)),
    lambda: open(b"\xff\xfe\n\x1b[31m", "w").close(),
    lambda: open("x" * 255, "w").close(),
    lambda: open("-rf", "w").close(),
    lambda: os.setxattr("plain", "user.x", b"y" * 1000),
    lambda: os.chmod("plain", 0o6777),
    lambda: os.chown("plain", 12345, 12345),
):
    try:
        make()
        print("made")
    except OSError as error:
        print("blocked", error.errno)
