# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which function scores responses, and with which options: this package's, or somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf

from verl_sdpo import rewards
from verl_sdpo.preflight.fault import Fault, Findings
from verl_sdpo.rewards.reward_modules import load_module

FUNCTION = "reward.custom_reward_function"


@dataclass(frozen=True)
class Scorer:
    """The run's reward function."""

    # None: verl's own rewards, or one that cannot be loaded.
    function: Callable[..., Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.function in (rewards.compute_score, rewards.compute_score_async)


def find_scorer(config: DictConfig) -> tuple[Scorer, Findings]:
    """Load the function and what it registers, as each reward worker will."""
    section = OmegaConf.select(config, FUNCTION)
    path = section.get("path") if section else None
    if path is None:
        told = f"{FUNCTION}.path is not set, and verl's own rewards have no check"
        return Scorer(), Findings([], [f"ground truths of rows were not checked: {told}"])
    options = OmegaConf.to_container(section.get("reward_kwargs") or OmegaConf.create({}), resolve=True)
    function, fault = _load(str(path), section.get("name"))
    if fault is not None:
        return Scorer(), Findings([fault])
    scorer = Scorer(function, options)
    if not scorer.is_ours:
        told = f"{FUNCTION}.path={path!r} is not a reward function of this package"
        return scorer, Findings([], [f"ground truths of rows were not checked: {told}"])
    try:
        rewards.load_reward_modules(options.pop("reward_modules", None) or ())
        rewards.check_options(options)
    except ValueError as error:
        problem = f"{FUNCTION}.reward_kwargs: {error}"
        return Scorer(), Findings([Fault("config", f"{FUNCTION}.reward_kwargs", problem, "correct it or take it out")])
    return scorer, Findings()


def _load(path: str, name: Any) -> tuple[Callable[..., Any] | None, Fault | None]:
    where = f"{FUNCTION}.path"
    if path.endswith(".py"):
        try:
            with open(path, encoding="utf-8"):
                pass
        except OSError as error:
            return None, Fault(
                "config", where, f"{where}={path!r} cannot be read: {error.strerror}", "correct the path"
            )
    try:
        module = load_module(path)
    except ValueError as error:
        return None, Fault("config", where, f"{where}={error}", "correct the file, or the path")
    except SystemExit as error:
        return None, Fault(
            "config", where, f"{where}={path!r} ends the program as it is loaded ({error})", "correct it"
        )
    function = getattr(module, str(name), None)
    if not callable(function):
        problem = f"{FUNCTION}.name={name!r} is no function of {path!r}"
        known = ", ".join(sorted(key for key, value in vars(module).items() if callable(value) and key[0] != "_"))
        return None, Fault("config", f"{FUNCTION}.name", problem, f"name one of {known}")
    return function, None
