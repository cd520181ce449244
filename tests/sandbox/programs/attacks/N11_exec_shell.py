# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["unix"]}
import os

os.execv("/bin/sh", ["sh", "-c", "echo ESCAPED: became a shell"])
