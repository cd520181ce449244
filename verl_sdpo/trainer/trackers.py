# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Trackers (`trainer.logger`) that fail do not end a run: a service that refuses it, a folder that cannot be written.

In verl 0.9.1 what the constructor or a call of any tracker raises ends the training. There is no hook: `PPOTrainer.fit`
makes its `Tracking` by the name in its module, which `survive_lost_trackers` therefore replaces, with those of the
two loggers of tables beside it. `tests/test_verl_seams.py` pins what this depends on. Whether a name is known and
its package is installed is the preflight's affair, before the start.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from verl.trainer.ppo.v1 import trainer_base
from verl.utils.tracking import DapoFilteredRewardTableLogger, Tracking, ValidationGenerationsLogger

logger = logging.getLogger(__name__)


class Losses:
    """What has failed so far, of one run: each tracker is told of once, at its first failure."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        # Those that did not start: nothing more is sent to them.
        self.absent: set[str] = set()

    @contextlib.contextmanager
    def survived(self, name: str, does: str) -> Iterator[None]:
        """A call of a tracker. A service fails in ways of its own, so every `Exception` counts; signals do not."""
        try:
            yield
        except Exception as error:
            if does == "start":
                self.absent.add(name)
            if name not in self._told:
                self._told.add(name)
                fate = "this run has no record there" if does == "start" else "its record there has gaps"
                cause = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                logger.warning("trainer.logger: %s failed to %s, %s, and the run goes on: %s", name, does, fate, cause)

    def present(self, names: str | Sequence[str]) -> list[str]:
        """Those of the trackers that have started."""
        return [name for name in _as_list(names) if name not in self.absent]


class SurvivedTracking(Tracking):
    """verl's trackers, each started, fed and ended by itself. One that fails a call is tried again at the next."""

    def __init__(
        self,
        losses: Losses,
        project_name: str,
        experiment_name: str,
        default_backend: str | list[str] = "console",
        config: dict[str, Any] | None = None,
    ) -> None:
        self._losses, started = losses, {}
        super().__init__(project_name, experiment_name, [], config)
        for name in _as_list(default_backend):
            with losses.survived(name, "start"):
                # verl begins with an empty `logger` each time.
                super().__init__(project_name, experiment_name, [name], config)
                started |= self.logger
        self.logger = started

    def log(self, data: dict[str, Any], step: int, backend: Any = None) -> None:
        for name in self.logger:
            if backend is None or name in backend:
                with self._losses.survived(name, "log"):
                    super().log(data, step, backend=[name])

    def finish(self, exit_code: int = 0) -> None:
        if self._finished:
            return
        trackers = self.logger
        for name, tracker in trackers.items():
            # verl's method ends all that there are, once.
            self.logger, self._finished = {name: tracker}, False
            with self._losses.survived(name, "finish"):
                super().finish(exit_code)
        self.logger, self._finished = trackers, True


class SurvivedGenerations(ValidationGenerationsLogger):
    """verl's tables of validation samples."""

    def __init__(self, losses: Losses, **names: Any) -> None:
        super().__init__(**names)
        self._losses = losses

    def log(self, loggers: str | Sequence[str], samples: Sequence[Any], step: int) -> None:
        for name in self._losses.present(loggers):
            with self._losses.survived(name, "log"):
                super().log([name], samples, step)


class SurvivedRewardTable(DapoFilteredRewardTableLogger):
    """verl's table of groups that were filtered out."""

    def __init__(self, losses: Losses, **names: Any) -> None:
        super().__init__(**names)
        self._losses = losses

    def log(self, loggers: str | Sequence[str], reward_counts: dict[float, int], step: int) -> None:
        for name in self._losses.present(loggers):
            with self._losses.survived(name, "log"):
                super().log([name], reward_counts, step)


def survive_lost_trackers() -> None:
    """Let the trainers of this process go on without a tracker that fails; to be called before one trains."""
    losses = Losses()
    trainer_base.Tracking = functools.partial(SurvivedTracking, losses)
    trainer_base.ValidationGenerationsLogger = functools.partial(SurvivedGenerations, losses)
    trainer_base.DapoFilteredRewardTableLogger = functools.partial(SurvivedRewardTable, losses)


def _as_list(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
