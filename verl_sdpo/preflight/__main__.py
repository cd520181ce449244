# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""python -m verl_sdpo.preflight <overrides>: what is wrong with this run? Starts nothing."""

import sys

from omegaconf import DictConfig

from verl_sdpo.preflight.compose import compose_and_call
from verl_sdpo.preflight.start import check_or_exit


def show(config: DictConfig) -> None:
    """Reports; ends the program with the status of the first area that has a fault."""
    check_or_exit(config)
    sys.stderr.write("preflight: nothing is wrong\n")


if __name__ == "__main__":
    compose_and_call(show)
