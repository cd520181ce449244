# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"]}
import os

# In a namespace of its own it sees no parent: 0, which would mean itself.
parent = os.getppid() or 1 << 22
for name, call in (
    ("affinity of the parent", lambda: os.sched_setaffinity(parent, os.sched_getaffinity(parent))),
    ("scheduler of the parent", lambda: os.sched_setscheduler(parent, os.SCHED_OTHER, os.sched_param(0))),
    ("priority of the parent", lambda: os.setpriority(os.PRIO_PROCESS, parent, 0)),
    ("priority of all of the user", lambda: os.setpriority(os.PRIO_USER, os.getuid(), os.getpriority(os.PRIO_PROCESS, 0))),
    ("higher priority", lambda: os.nice(-5)),
    ("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
):
    try:
        call()
        print("ESCAPED:", name)
    except OSError as error:
        print("blocked", error.errno)
