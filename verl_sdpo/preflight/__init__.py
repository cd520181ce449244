# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a run, all at once, before anything starts: `python -m verl_sdpo.preflight <overrides>`.

One file an area; each returns faults and raises nothing. docs/reliability.md has the areas and their exit codes.
"""

from verl_sdpo.preflight.fault import EXIT_CODES, Fault, Findings

__all__ = ["EXIT_CODES", "Fault", "Findings"]
