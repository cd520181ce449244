# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Hydra's part of the entry points: composing a configuration, and words for one that cannot be composed."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from verl_sdpo.config import flat_defaults, test_time
from verl_sdpo.preflight.fault import EXIT_CODES, Fault, Findings
from verl_sdpo.preflight.overrides import added_key_warnings, unknown_override_faults
from verl_sdpo.preflight.report import report

_FULL_ERROR = "HYDRA_FULL_ERROR"


def register_config() -> None:
    """Give Hydra the options of SDPO and of test-time runs with the defaults of their dataclasses."""
    ConfigStore.instance().store(group="self_distillation", name="defaults", node=flat_defaults())
    ConfigStore.instance().store(group="test_time_options", name="defaults", node=test_time.defaults())


def compose_and_call(task: Callable[[DictConfig], None], config_name: str = "sdpo_trainer") -> None:
    """Compose the configuration that the command line names, or else `config_name`, and call the task with it.

    A configuration that cannot be composed ends the program with the exit status of faults of the configuration.
    """
    register_config()
    was_set, is_composed = os.environ.get(_FULL_ERROR), False

    # Hydra names its folder and log after the task's file.
    @functools.wraps(task)
    def called(config: DictConfig) -> None:
        # From here on errors are the task's, to be shown as the user wants it.
        nonlocal is_composed
        is_composed = True
        _restore(was_set)
        task(config)

    # Hydra would print its error, one at a time, and end the program.
    os.environ[_FULL_ERROR] = "1"
    try:
        hydra.main(config_path="pkg://verl_sdpo.config", config_name=config_name, version_base=None)(called)()
    except (HydraException, OmegaConfBaseException) as error:
        if is_composed:
            raise
        sys.stderr.write(report(Findings(composition_faults(error, sys.argv[1:], config_name))) + "\n")
        sys.exit(EXIT_CODES["config"])
    finally:
        _restore(was_set)


def own_overrides() -> list[str]:
    """The overrides of the run that is being composed."""
    return list(HydraConfig.get().overrides.task)


def override_warnings(config: DictConfig) -> list[Fault]:
    """Keys that the command line added and that look like slips."""
    return added_key_warnings(own_overrides(), config)


def composition_faults(error: Exception, arguments: list[str], config_name: str = "sdpo_trainer") -> list[Fault]:
    """Why the configuration could not be composed: unknown keys, each with its nearest, or Hydra's own words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-name", "-cn", default=config_name)
    parser.add_argument("--config-dir", "-cd")
    options, rest = parser.parse_known_args(arguments)
    faults = []
    base = _without_overrides(options.config_name, options.config_dir)
    if base is not None:
        faults = unknown_override_faults([each for each in rest if not each.startswith("-")], base)
    if not faults:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        told = " ".join(f"{error}{cause}".split())
        faults.append(Fault("config", "the configuration", f"cannot be composed: {told}", "correct it"))
    return faults


def _without_overrides(name: str, directory: str | None) -> DictConfig | None:
    """The configuration as it is without any override; None where it cannot be composed either."""
    GlobalHydra.instance().clear()
    start = (
        hydra.initialize_config_dir(os.path.abspath(directory), version_base=None)
        if directory
        else hydra.initialize_config_module("verl_sdpo.config", version_base=None)
    )
    try:
        with start:
            return hydra.compose(name)
    except (HydraException, OmegaConfBaseException):
        return None


def _restore(value: str | None) -> None:
    if value is None:
        os.environ.pop(_FULL_ERROR, None)
    else:
        os.environ[_FULL_ERROR] = value
