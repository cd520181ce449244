# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"], "needs": ["unix"]}
import os

# Other runs have numbers near to this one's.
me, found = os.getpid(), []
for number in range(max(2, me - 300), me + 300):
    if number != me:
        try:
            os.kill(number, 0)
            found.append(number)
        except OSError:
            pass
print("ESCAPED: may signal" if found else "blocked", found[:5])
