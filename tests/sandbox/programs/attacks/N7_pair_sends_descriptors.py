# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"]}
import os
import socket

# A pair may exist; over it no descriptor may come from another process, and none of its own gain rights.
try:
    a, b = socket.socketpair()
    socket.send_fds(a, [b"x"], [0])
    data, fds, *_ = socket.recv_fds(b, 1, 4)
    os.write(fds[0], b"z")
    print("ESCAPED: standard input became writable")
except OSError as error:
    print("blocked", error.errno)
try:
    a.connect("\0elsewhere")
    print("ESCAPED: the pair connected elsewhere")
except (OSError, NameError):
    print("blocked")
