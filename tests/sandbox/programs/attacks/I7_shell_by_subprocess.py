# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["unix"]}
import subprocess

print(subprocess.run("echo ESCAPED: a shell ran; id", shell=True, capture_output=True, text=True, timeout=5).stdout)
