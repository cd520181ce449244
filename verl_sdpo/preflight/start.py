# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The preflight of a run that is about to start."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from omegaconf import DictConfig

from verl_sdpo.preflight.compose import override_warnings
from verl_sdpo.preflight.examine import examine
from verl_sdpo.preflight.fault import Fault
from verl_sdpo.preflight.report import report


def check_or_exit(config: DictConfig, own_faults: Sequence[Fault] = ()) -> None:
    """Say what was found; where something is wrong, end the program with the status of the first area that has it.

    Args:
        config: the run's.
        own_faults: what the entry point has found itself.
    """
    findings = examine(config)
    findings.faults = override_warnings(config) + list(own_faults) + findings.faults
    sys.stderr.write(report(findings) + "\n")
    sys.stderr.flush()
    if code := findings.exit_code():
        sys.exit(code)
