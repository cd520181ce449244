# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which platform this process runs on. Imports nothing, so that the entry point and vLLM's hook can ask first."""

import os

NAME = "cpu"


def is_selected() -> bool:
    """Whether this process runs on the CPU platform (`VERL_PLATFORM=cpu`)."""
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == NAME


def select() -> None:
    """Choose the CPU platform for this process and every process it starts."""
    os.environ["VERL_PLATFORM"] = NAME
