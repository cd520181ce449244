# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The commands that the recipes' scripts print, and what is wrong with them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from recipe.sweep import EXPERIMENTS
from verl_sdpo.config.checks import check_run
from verl_sdpo.preflight.fault import Fault
from verl_sdpo.preflight.sizes import batch_faults, length_faults, value_faults

ROOT = Path(__file__).parents[2]
# Table 5's script is no run of ours, but the harness's: tests/recipe/test_forgetting.py.
RUNS = [experiment for name, experiment in EXPERIMENTS.items() if name != "forgetting"]


def every_run() -> list[tuple[str, ...]]:
    """Script and arguments of each method, with each of its variants; each task of a method once."""
    runs = []
    for experiment in RUNS:
        for method in experiment.methods:
            tasks = experiment.tasks or ("",)
            calls = [(task, method, "") for task in tasks]
            calls += [(tasks[0], method, variant) for variant in experiment.variants.get(method, ())]
            runs += [(experiment.script, *filter(None, call)) for call in calls]
    return runs


def every_method() -> list[tuple[str, ...]]:
    """Script and arguments of each method, with the first of its tasks."""
    return [(experiment.script, *experiment.tasks[:1], method) for experiment in RUNS for method in experiment.methods]


def script(arguments: tuple[str, ...], folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run it in an environment without what a user may have set."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= {"OUT": str(folder / "out"), "DATA": str(folder / "data"), "PYTHON": "python"} | variables
    return subprocess.run(
        ["bash", str(ROOT / arguments[0]), *arguments[1:]], env=environment, cwd=folder, capture_output=True, text=True
    )


def printed(arguments: tuple[str, ...], folder: Path, **variables: str) -> list[str]:
    """The words of the command that a dry run prints."""
    run = script(arguments, folder, DRY_RUN="1", **variables)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    [line] = run.stdout.splitlines()
    return shlex.split(line)


def value_of(words: list[str], key: str) -> str | None:
    """What the last override of a key sets."""
    values = [word.partition("=")[2] for word in words if word.partition("=")[0].lstrip("+") == key]
    return values[-1] if values else None


def composed(base: DictConfig, overrides: list[str]) -> DictConfig:
    """The base with overrides applied as Hydra does: a key that is not there is an error unless it has a +.

    Composing anew takes a second for each of a hundred commands; a test holds this to Hydra's own.
    """
    for override in OverridesParser.create().parse_overrides(overrides):
        key, value = override.key_or_group, override.value()
        if override.is_add():
            with open_dict(base):
                OmegaConf.update(base, key, value, force_add=True)
        else:
            assert not override.is_delete(), override.input_line
            assert not override.is_force_add(), override.input_line
            OmegaConf.update(base, key, value)
    return base


def faults_of(config: DictConfig) -> list[str]:
    """What the checks say that need neither a model nor data."""
    check_run(config)
    found: list[Fault] = [*value_faults(config), *batch_faults(config), *length_faults(config)]
    return [f"{fault.where}: {fault.problem}" for fault in found]
