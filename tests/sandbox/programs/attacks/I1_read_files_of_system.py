# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["linux"]}
import io
import os
import sys

paths = ["/etc/hostname", "/etc/hosts", "/etc/shadow", "/etc/resolv.conf", "/proc/version", "/proc/cpuinfo"]
paths += ["/sys/kernel/notes", "/var/log/syslog", "/proc/1/cmdline", "/proc/sys/kernel/hostname", "/etc/machine-id"]
for path in paths:
    for opener in (open, io.open, io.FileIO, lambda p: os.fdopen(os.open(p, os.O_RDONLY))):
        try:
            data = opener(path).read(40)
        except (OSError, UnicodeDecodeError):
            continue
        if data:
            print("ESCAPED:", path, data)
print("done")
