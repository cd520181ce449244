# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Reward workers that die do not end a run: they are started anew, and what they had at hand is scored again.

verl 0.9.1 starts reward workers as Ray actors that stay dead, and hands each response to any of them, dead or not. The
response's session then fails, which the replay buffer lets pass: a sample is silently missing, or all are, and the run
ends. verl has no option for the actors' restarts, so `restart_reward_workers` puts a manager in place of verl's.

What becomes of a response that none of them lived to score, or whose reward raised, is `reward_calls`' affair.

Depends on these of verl 0.9.1, which `tests/test_verl_seams.py` pins:

- `experimental/reward_loop/reward_loop.py`: `RewardLoopManager._init_reward_loop_workers` starts
  `self.reward_loop_workers_class`, and gives it a name and a node only.
- `trainer/ppo/v1/trainer_base.py`: the trainer makes the manager by the name `RewardLoopManager` of its module.

How often Ray has started an actor anew is in `ray._private.state` alone; `tests/test_verl_seams.py` looks at that too.
"""

from __future__ import annotations

import re
from typing import Any

import ray
from ray._private import state
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)
from verl.experimental.reward_loop import RewardLoopManager, RewardLoopWorker
from verl.trainer.ppo.v1 import trainer_base

# How often a response is tried again whose worker died. One that is itself the cause must come to an end soon: the
# others that the worker had at hand are lost with it each time.
RETRIES = 2
# Of one worker in a run. Without a bound Ray would go on starting one that dies before it scores anything, and the run
# would wait for ever. Beyond it each response that is given to this worker has no verdict.
RESTARTS = 20
# Of a traceback the end, which has the reward's own lines.
MAX_TRACEBACK_CHARS = 4000
# For workers to say that they have started, where they have had the time in which models were loaded.
START_SECONDS = 60.0
_NOT_STARTED = "a reward worker could not be started:"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_DEATHS = (RayActorError, WorkerCrashedError, OutOfMemoryError, NodeDiedError)


class RewardWorkerError(RuntimeError):
    """A reward worker could not be started."""


class RestartingRewardManager(RewardLoopManager):
    """verl's manager, whose workers Ray starts anew, on any node that lives."""

    def _init_reward_loop_workers(self) -> None:
        self.reward_loop_workers_class = _RestartingActors()
        super()._init_reward_loop_workers()

    def check_started(self) -> None:
        """Refuse workers whose start raised: the reward cannot be imported on their machine, for one.

        Raises:
            RewardWorkerError: what it raised, with the traceback. One that is only slow is waited for elsewhere.
        """
        ready = [worker.__ray_ready__.remote() for worker in self.reward_loop_workers]
        done, _ = ray.wait(ready, num_returns=len(ready), timeout=START_SECONDS) if ready else ([], [])
        for reference in done:
            try:
                ray.get(reference)
            except ActorDiedError as error:
                if error.actor_init_failed:
                    raise RewardWorkerError(
                        f"{with_traceback(_NOT_STARTED, error)}\nThe reward function and its modules must be there on "
                        "every machine of the cluster: reward.custom_reward_function.path"
                    ) from error

    def num_restarts(self) -> int:
        """How often workers of this run have been started anew."""
        found = [state.actors(worker._actor_id.hex()) for worker in self.reward_loop_workers]
        return sum(int(each.get("NumRestarts", 0)) for each in found)


class _RestartingActors:
    """Starts reward workers as Ray's class of actors would, for as many times as each may die.

    Ray 2.60 forgets arguments of 100 KB and more, such as verl's configuration, once an actor has been started, and
    cannot start it again then. So they are put into its store and kept as long as this object lives.
    """

    def __init__(self) -> None:
        self._kept: list[ray.ObjectRef] = []

    def options(self, **options: Any) -> _RestartingActors:
        self._actors = ray.remote(max_restarts=RESTARTS, max_task_retries=RETRIES)(RewardLoopWorker).options(**options)
        return self

    def remote(self, *arguments: Any) -> ActorHandle:
        kept = [ray.put(argument) for argument in arguments]
        self._kept += kept
        return self._actors.remote(*kept)


def restart_reward_workers() -> None:
    """Let the trainers of this process have reward workers that are started anew; to be called before one is made."""
    trainer_base.RewardLoopManager = RestartingRewardManager


def is_process_death(error: BaseException) -> bool:
    """Whether a call of a Ray actor failed because its process died, and not by an error raised in it.

    An error that is raised there has its own type besides Ray's: a reward that itself waits for an actor raises that
    actor's death.
    """
    return isinstance(error, _DEATHS) and not isinstance(error, RayTaskError)


def told_of_death(error: BaseException) -> str:
    """How the last attempt at a response ended whose workers died, or could not be started."""
    if isinstance(error, ActorDiedError) and error.actor_init_failed:
        return with_traceback(_NOT_STARTED, error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # Ray's first line says what happened, its last one how the process ended.
    told = " ".join(dict.fromkeys((lines[0], lines[-1].strip())))
    return f"no reward worker lived to score the response, in up to {1 + RETRIES} attempts: {told}"


def with_traceback(what: str, error: BaseException) -> str:
    """A line that says what happened and the error's own last line; the traceback, as Ray tells it, is below it."""
    text = _COLOURS.sub("", str(error)).strip() or type(error).__name__
    return f"{what} {text.splitlines()[-1].strip()}\n{text[-MAX_TRACEBACK_CHARS:]}"
