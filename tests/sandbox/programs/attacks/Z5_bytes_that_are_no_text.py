# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["wrong_answer"]}
import os

os.write(1, bytes(range(256)) * 10)
os.write(2, b"\xff\xfe\xed\xa0\x80" * 100)
