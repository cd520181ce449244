# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["output_limit"]}
import os
import threading


def spam():
    while True:
        os.write(1, b"z" * 65536)


for _ in range(4):
    threading.Thread(target=spam).start()
