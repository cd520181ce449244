# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import fcntl
import os
import termios

# Pushes letters into the terminal of whoever started it.
for fd in (0, 1, 2):
    try:
        fcntl.ioctl(fd, termios.TIOCSTI, b"x")
        print("ESCAPED: typed into the terminal of", fd)
    except OSError as error:
        print("blocked", error.errno)
for path in ("/dev/tty", "/dev/ptmx", "/dev/kmsg", "/dev/mem", "/dev/kvm", "/dev/fuse", "/dev/nvidiactl", "/dev/sda"):
    try:
        os.close(os.open(path, os.O_RDWR))
        print("ESCAPED: opened", path)
    except OSError as error:
        print("blocked", error.errno)
