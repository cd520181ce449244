# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux"], "escapes": true}
import os

for make, name in ((os.symlink, "symbolic"), (os.link, "hard")):
    try:
        make("/etc/passwd", name)
        print("ESCAPED:", name, open(name).read(20))
    except OSError as error:
        print("blocked", error.errno)
try:
    os.symlink("/etc", "folder")
    print("ESCAPED:", open("folder/passwd").read(20))
except OSError as error:
    print("blocked", error.errno)
