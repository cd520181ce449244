# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error", "wrong_answer", "time_limit"], "cpu_seconds": 1}
def f():
    pass


f.__code__ = f.__code__.replace(co_code=b"\xff\x00\x64\x7f" * 64, co_consts=())
f()
