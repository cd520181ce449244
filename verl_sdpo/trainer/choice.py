# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Which trainer a run has: verl's own or SDPO's, by loss and estimator, and what looks after either."""

from __future__ import annotations

from collections.abc import Callable

from omegaconf import DictConfig
from verl.trainer.ppo.v1 import trainer_base

from verl_sdpo.config.checks import uses_sdpo
from verl_sdpo.config.determinism import is_deterministic
from verl_sdpo.trainer.checkpoints import Checkpoints
from verl_sdpo.trainer.fixed_order import FixedOrder
from verl_sdpo.trainer.high_entropy import HighEntropyTokens
from verl_sdpo.trainer.rollout_death import RolloutDeaths
from verl_sdpo.trainer.sdpo_trainers import SDPO_TRAINERS
from verl_sdpo.trainer.stalls import Stalls
from verl_sdpo.trainer.stop_request import StopRequests
from verl_sdpo.trainer.unjudged_steps import UnjudgedSteps
from verl_sdpo.trainer.updates import Updates
from verl_sdpo.trainer.verdicts import Verdicts
from verl_sdpo.trainer.watching import Watching


def use_trainer(config: DictConfig, extend: Callable[[DictConfig, type], type] | None = None) -> None:
    """Let verl's registry answer with the run's trainer for its mode, in this process.

    A mode of our own would not do: verl's base class branches on the literal "sync" (verl 0.9.1).

    Args:
        config: of a run that was checked.
        extend: derives a class of it; see `verl_sdpo.main_sdpo.run`.
    """
    chosen = trainer_class(config)
    trainer_base.TRAINER_REGISTRY[config.trainer.v1.trainer_mode] = chosen if extend is None else extend(config, chosen)


def trainer_class(config: DictConfig) -> type:
    """The run's trainer; with another loss than SDPO's verl's own, with what looks after a run before it.

    verl's replay buffer waits `poll_interval` seconds between two looks, an attribute that no key of verl's reaches.
    """
    mode = config.trainer.v1.trainer_mode
    stock = trainer_base.get_trainer_cls(mode)
    bases = (SDPO_TRAINERS[mode],) if uses_sdpo(config) else (Verdicts, Checkpoints, Watching, stock)
    # Before all others: what they do to a batch, they do to one in order.
    first = (FixedOrder,) if is_deterministic(config) else ()
    if config.algorithm.high_entropy_fraction is not None:
        first += (HighEntropyTokens,)

    class PacedTrainer(*first, Updates, UnjudgedSteps, StopRequests, Stalls, RolloutDeaths, *bases):
        def _build_replay_buffer(self):
            replay_buffer = super()._build_replay_buffer()
            replay_buffer.poll_interval = config.trainer.v1.replay_poll_interval
            return replay_buffer

    return PacedTrainer
