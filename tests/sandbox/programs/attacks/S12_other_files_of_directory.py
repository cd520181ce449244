# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os

for folder in (".", "..", "../..", "/tmp", "/var/tmp", "/run", "/mnt", "/srv", "/data"):
    try:
        names = os.listdir(folder)
    except OSError:
        continue
    if os.path.realpath(folder) != os.getcwd() and names:
        print("ESCAPED: listed", folder, names[:3])
print("nothing")
