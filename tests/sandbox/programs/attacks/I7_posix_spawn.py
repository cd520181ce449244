# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["unix"]}
import os
import sys

for spawn in (os.posix_spawn, os.posix_spawnp):
    try:
        os.waitpid(spawn("/bin/sh", ["sh", "-c", "echo ESCAPED: spawned"], {}), 0)
    except OSError as error:
        print("blocked", error.errno)
