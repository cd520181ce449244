# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "escapes": true, "needs": ["unix"]}
import os
import sys

for command in ("echo ESCAPED: os.popen",):
    print(os.popen(command).read())
print(sys.version_info > (3,))
