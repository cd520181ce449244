# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"]}
import os

here = os.getcwd()
for call in (lambda: os.rmdir(here), lambda: os.rename(here, here + "_gone"), lambda: os.chdir("..")):
    try:
        call()
        print("done")
    except OSError as error:
        print("blocked", error.errno)
