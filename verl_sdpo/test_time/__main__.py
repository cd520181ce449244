# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m verl_sdpo.test_time <overrides>`: hard questions, one after the other, within a budget of generations.

`test_time.method` is SDPO or one of its baselines; `--config-name sdpo_test_time_cpu` is the same for a machine without
a GPU. A run that was killed goes on when it is started again.
"""

from __future__ import annotations

from omegaconf import DictConfig

from verl_sdpo.main_sdpo import prepare_cpu, run
from verl_sdpo.platforms.cpu import platform_selection
from verl_sdpo.preflight.compose import compose_and_call
from verl_sdpo.preflight.start import check_or_exit
from verl_sdpo.test_time.start import start_faults


def main() -> None:
    """Entry point."""
    compose_and_call(_check_and_run, config_name="sdpo_test_time")


def _check_and_run(config: DictConfig) -> None:
    if config.trainer.device == platform_selection.NAME:
        prepare_cpu(config)
    check_or_exit(config, start_faults(config))
    from verl_sdpo.test_time.trainer import extend

    run(config, extend)


if __name__ == "__main__":
    main()
