# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"]}
import pty

pty.spawn(["/bin/sh", "-c", "echo ESCAPED: a terminal"])
