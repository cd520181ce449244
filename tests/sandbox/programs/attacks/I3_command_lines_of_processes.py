# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["linux"]}
import os

try:
    numbers = [name for name in os.listdir("/proc") if name.isdigit()]
except OSError:
    numbers = [str(n) for n in range(1, 400)]
for number in numbers:
    for name in ("cmdline", "maps", "status", "cwd", "exe", "fd"):
        path = f"/proc/{number}/{name}"
        try:
            if name in ("cwd", "exe"):
                data = os.readlink(path)
            elif name == "fd":
                data = os.listdir(path)
            else:
                data = open(path).read(40)
        except OSError:
            continue
        print("ESCAPED:", path, data)
