# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Ray's token where the home folder cannot be written.

A Ray cluster that `ray.init` starts keeps the token of its members in `~/.ray`, and does not start where that cannot be
made. Ray reads the token from the environment too, which its processes inherit.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

TOKEN = "RAY_AUTH_TOKEN"
# Where one of them is set, whoever did knows where the token is, or that there is none.
_TOLD_BY = (TOKEN, "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "RAY_ADDRESS")


def provide_token() -> None:
    """Put a token for a cluster of this run alone into the environment, if Ray could not write one."""
    if any(os.environ.get(name) for name in _TOLD_BY):
        return
    folder = Path.home() / ".ray"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK) or (folder / "auth_token").exists():
            return
    except OSError:
        pass
    os.environ[TOKEN] = secrets.token_hex(32)
