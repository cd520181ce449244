# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
# spec: {"verdicts": ["runtime_error"]}
class Bad(Exception):
    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__

    @property
    def __traceback__(self):
        raise ZeroDivisionError

    __cause__ = __traceback__


raise Bad
