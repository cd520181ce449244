# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Where the code lies that runs in the sandbox's own interpreter. It is a script, never imported here."""

from pathlib import Path

INSIDE = Path(__file__).parent
