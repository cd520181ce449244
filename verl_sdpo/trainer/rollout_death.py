# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""A run whose rollout server, engine or agent loop worker is dead ends soon, and says which one it was.

verl 0.9.1 does not look: sessions of a dead server fail, which its replay buffer lets pass or answers with new prompts;
prompts of a dead agent loop worker stay on their way, and so do weights for a dead engine, for ever.

Depends on `trainer/ppo/v1/replay_buffer.py` of verl 0.9.1: `sample` waits by `_wait_for_next_poll`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

logger = logging.getLogger(__name__)

# Between two looks, and for those who are asked to answer at one of them.
LOOK_EVERY_SECONDS = 5.0
ANSWER_SECONDS = 5.0
# For the run to end by itself once a death is known, before the ranks are killed that may wait for the dead.
GRACE_SECONDS = 15.0
_REMEDY = (
    "Its last words are in this run's log and in Ray's on its machine; often it was short of memory "
    "(actor_rollout_ref.rollout.gpu_memory_utilization). trainer.resume_mode=auto goes on from the last checkpoint"
)


class RolloutDiedError(RuntimeError):
    """What makes the rollouts is dead."""


class RolloutDeaths:
    """To stand before a verl trainer among a class's bases; for every loss."""

    # What is dead, once it is known.
    _death: str | None = None

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        with self._looked_at():
            try:
                return super().fit(*args, **kwargs)
            except Exception as error:
                # It may have ended by the death that it ends with, before anybody looked.
                if (death := self._death or death_among(self._makers_of_rollouts())) is None:
                    raise
                raise RolloutDiedError(f"{death}. {_REMEDY}") from error

    def _build_replay_buffer(self) -> Any:
        replay_buffer = super()._build_replay_buffer()
        sample, wait = replay_buffer.sample, replay_buffer._wait_for_next_poll

        def sample_of_the_living(*args: Any, **kwargs: Any) -> Any:
            sampled = sample(*args, **kwargs)
            self._end_if_dead()
            return sampled

        def wait_for_the_living(*args: Any, **kwargs: Any) -> Any:
            self._end_if_dead()
            return wait(*args, **kwargs)

        replay_buffer.sample, replay_buffer._wait_for_next_poll = sample_of_the_living, wait_for_the_living
        return replay_buffer

    def _end_if_dead(self) -> None:
        if self._death is not None:
            raise RolloutDiedError(self._death)

    def _makers_of_rollouts(self) -> Iterator[tuple[str, Any]]:
        """(what, handle) of all rollout servers and agent loop workers."""
        for worker in getattr(getattr(self, "agent_loop_manager", None), "agent_loop_workers", ()):
            yield "an agent loop worker", worker
        for manager in self._rollout_server_managers():
            for replica in manager.get_replicas():
                for server in replica.servers:
                    yield "a rollout server", server

    @contextlib.contextmanager
    def _looked_at(self) -> Iterator[None]:
        """Within this context a thread looks for deaths."""
        has_ended = threading.Event()
        threading.Thread(target=self._look, args=(has_ended,), daemon=True, name="rollout-deaths").start()
        try:
            yield
        finally:
            has_ended.set()

    def _look(self, has_ended: threading.Event) -> None:
        while not has_ended.wait(LOOK_EVERY_SECONDS):
            try:
                self._death = death_among(self._makers_of_rollouts())
            except Exception:
                logger.exception("nobody can see whether those who make the rollouts live")
                return
            if self._death is not None:
                logger.error("%s", self._death)
                if not has_ended.wait(GRACE_SECONDS):
                    # A rank that hands weights to a dead engine waits for it without an end.
                    for worker in self.actor_rollout_wg.workers:
                        ray.kill(worker)
                return


def death_among(makers: Iterable[tuple[str, Any]]) -> str | None:
    """Which of these actors is dead, or has an engine that is: its name and how it died; None where all live.

    One that does not answer at once lives, as far as this is concerned.

    Args:
        makers: (what it is, its handle). One that has a `check_engine` is asked that.
    """
    asked = {_ask(handle): what for what, handle in makers}
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS) if asked else ([], [])
    for reference in done:
        try:
            ray.get(reference)
        except RayTaskError as error:
            return f"{asked[reference]} has lost its engine: {_last_line(error)}"
        except RayActorError as error:
            return f"{asked[reference]} died: {' '.join(str(error).split())[:600]}"
    return None


def _ask(handle: Any) -> Any:
    return handle.check_engine.remote() if hasattr(handle, "check_engine") else handle.__ray_ready__.remote()


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
