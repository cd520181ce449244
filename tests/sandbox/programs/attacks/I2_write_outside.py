# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os

for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", "..", os.path.expanduser("~"), "/usr/local", "/etc"):
    path = os.path.join(folder, f"sandbox_escape_{os.getpid()}")
    if os.path.realpath(folder) == os.getcwd():
        continue
    try:
        with open(path, "w") as file:
            file.write("x")
        print("ESCAPED: wrote in", folder)
        os.remove(path)
    except OSError:
        pass
