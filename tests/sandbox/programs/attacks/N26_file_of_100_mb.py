# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "output_limit"]}
written = 0
try:
    with open("big", "wb") as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
            file.flush()
            written += 1
except OSError as error:
    print("blocked", error.errno)
print("ESCAPED: 100 MB" if written == 100 else written)
