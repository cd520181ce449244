# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"]}
import os
import signal

parent = os.getppid()
targets = {parent, os.getsid(0), os.getpgid(0), 1} - {0, os.getpid()}
for target in targets:
    for number in (0, signal.SIGCONT):
        for send in (os.kill, os.killpg):
            try:
                send(target, number)
                print("ESCAPED:", send.__name__, target, int(number))
            except OSError as error:
                print("blocked", error.errno)
