# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a user can get wrong, in one line."""


class EvaluateError(ValueError):
    """Names the option and its value, what is wrong, and what to do."""


def one_line(error: BaseException) -> str:
    """Somebody else's error as part of a line."""
    return " ".join(str(error).split()) or type(error).__name__
