# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"]}
import os

made = 0
try:
    while made < 100000:
        os.close(os.open(f"f{made}", os.O_CREAT | os.O_WRONLY))
        made += 1
except OSError as error:
    print("blocked", error.errno)
print("ESCAPED: files" if made == 100000 else "few", made)
