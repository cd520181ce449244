# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["linux", "x86_64"]}
import glob
import os

# A program that may be read but not executed, given to the loader.
for loader in ["/lib64/ld-linux-x86-64.so.2", *glob.glob("/lib*/ld-musl-*.so.1")]:
    try:
        os.execv(loader, [loader, "/bin/echo", "ESCAPED: by the loader"])
    except OSError as error:
        print("blocked", error.errno)
