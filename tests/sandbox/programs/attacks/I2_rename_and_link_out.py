# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os

open("mine", "w").close()
for call in (os.rename, os.link, os.replace, os.symlink):
    for target in ("/tmp/sandbox_escape_link", "../sandbox_escape_link", "/dev/shm/sandbox_escape_link"):
        try:
            call("mine", target)
            print("ESCAPED:", call.__name__, target)
            os.remove(target)
            open("mine", "w").close()
        except OSError:
            pass
