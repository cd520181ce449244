# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"kind": "stdin", "stdin": "", "expected": "time is up\nTrue\n", "needs": ["unix"]}
import signal


class Late(Exception):
    pass


def on_alarm(number, frame):
    raise Late


signal.signal(signal.SIGALRM, on_alarm)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    while True:
        pass
except Late:
    print("time is up")
signal.alarm(0)
print(signal.getsignal(signal.SIGINT) is not None)
