# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""What a run is: its run.json, or what can be told from its composed configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import YAMLError

from verl_sdpo.reports.history import History, UnreadableError

# The composed configuration, where hydra.run.dir is the run's folder "hydra".
CONFIG = Path("hydra", ".hydra", "config.yaml")
# verl's default of trainer.experiment_name, of whatever data (verl/trainer/config/ppo_trainer.yaml, verl 0.9.1).
_VERL_DEFAULT_NAME = "gsm8k"
_KEYS: dict[str, type] = {"experiment": str, "task": str, "model": str, "method": str, "seed": int}


@dataclass(frozen=True, order=True)
class Identity:
    """Two runs with the same identity are the same run. `model`: last part of the hub id, lower case."""

    experiment: str
    task: str
    model: str
    method: str
    variant: str
    seed: int
    # Two steps of a tiny model, to see that a script works: not to be compared with anything.
    is_smoke: bool = False

    @property
    def label(self) -> str:
        """The method with its variant, as one word."""
        return f"{self.method}_{self.variant}" if self.variant else self.method

    def __str__(self) -> str:
        return f"{self.experiment}/{self.task}/{self.model}/{self.label}/seed{self.seed}"


def read_identity(folder: Path, history: History) -> Identity:
    """The identity of the run in `folder`.

    Raises:
        UnreadableError: neither run.json nor hydra/.hydra/config.yaml, or one that lacks something or is damaged.
    """
    declared = folder / "run.json"
    if declared.is_file():
        return _from_run_json(declared)
    if (folder / CONFIG).is_file():
        return _from_config(folder / CONFIG, history)
    raise UnreadableError(f"{folder}: neither run.json nor {CONFIG}: write a run.json with {', '.join(_KEYS)}")


def configured_generations(folder: Path) -> int | None:
    """Samples of a training step as the run was configured; None without its configuration.

    Raises:
        UnreadableError: the configuration is damaged.
    """
    if not (folder / CONFIG).is_file():
        return None
    with _composed(folder / CONFIG) as value:
        batch, rollouts = value("data.train_batch_size"), value("actor_rollout_ref.rollout.n")
        return None if batch is None or rollouts is None else int(batch) * int(rollouts)


def short_model(name: str) -> str:
    """Last part of a hub id or a path, lower case."""
    return name.rstrip("/").rpartition("/")[2].lower()


def _from_run_json(path: Path) -> Identity:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableError(f"{path}: not JSON ({error}): write it anew") from error
    for key, kind in _KEYS.items():
        if not isinstance(told, dict) or type(told.get(key)) is not kind:
            raise UnreadableError(f"{path}: {key} has to be there as {kind.__name__}")
    return Identity(
        experiment=told["experiment"],
        task=told["task"],
        model=short_model(told["model"]),
        method=told["method"],
        variant=str(told.get("variant") or ""),
        seed=told["seed"],
        is_smoke=bool(told.get("smoke", False)),
    )


def _from_config(path: Path, history: History) -> Identity:
    """From the composed configuration: the project is the experiment, the validated data source the task."""
    with _composed(path) as value:
        loss = value("actor_rollout_ref.actor.policy_loss.loss_mode", "vanilla")
        trained = value("algorithm.adv_estimator", "grpo") if loss == "vanilla" else loss
        # Of a test-time run, whose baselines train nothing.
        method = value("test_time.method", trained)
        experiment = value("trainer.project_name", "unnamed")
        sources = sorted({name.split("/", 1)[1].rsplit("/", 2)[0] for name in history if name.startswith("val-core/")})
        name = re.sub(r"[-_]?seed[-_]?\d+$", "", str(value("trainer.experiment_name", "")))
        return Identity(
            experiment=str(experiment),
            task=sources[0] if sources else str(experiment),
            model=short_model(str(value("actor_rollout_ref.model.path", "unnamed"))),
            method=str(method),
            variant="" if name in (method, _VERL_DEFAULT_NAME) else name,
            seed=int(value("data.seed", value("trainer.seed", 0)) or 0),
        )


@contextmanager
def _composed(path: Path) -> Iterator[Callable[..., Any]]:
    """`value(key, default)`, of the configuration in the file; keys are dotted.

    Raises:
        UnreadableError: the file, or what is read of it inside the `with`, is not as Hydra writes it.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    def value(key: str, default: Any = None) -> Any:
        found = OmegaConf.select(config, key)
        return default if found is None else found

    try:
        config = OmegaConf.load(path)
        yield value
    except (OmegaConfBaseException, YAMLError, OSError, TypeError, ValueError) as error:
        raise UnreadableError(f"{path}: not a composed configuration ({' '.join(str(error).split())})") from error
