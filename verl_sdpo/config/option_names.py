# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Keys of a section of the configuration that are no options of it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any


def check_known(options: Mapping[str, Any], known: Collection[str], section: str) -> None:
    """Refuse what is not among the known keys.

    Args:
        section: whose options they are, for the message.

    Raises:
        ValueError: the first unknown key by name, its value, and the nearest known one.
    """
    for key in sorted(set(options) - set(known)):
        near = difflib.get_close_matches(key, known, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}"
        raise ValueError(f"{key}={options[key]!r} is no option of {section}: {remedy}")
