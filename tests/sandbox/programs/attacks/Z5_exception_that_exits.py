# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer"]}
import os


class Leave(Exception):
    def __str__(self):
        os._exit(0)


raise Leave
