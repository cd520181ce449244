# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""The watchdog in a verl trainer: which phase of a step hangs, and of rollouts which sessions, in which worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import ray

from verl_sdpo.watch.watchdog import Watchdog

logger = logging.getLogger(__name__)

MOST_SESSIONS = 8
# For agent loop workers to say what they wait for; one that does not is blocked or dead, and is named.
ANSWER_SECONDS = 8.0
# verl's methods that are a phase of their own (`PPOTrainer.fit`, `_step_once`, verl 0.9.1).
PHASES = {
    "_compute_reward_colocate": "rewards of the reward model on the trainer's ranks",
    "_compute_old_log_prob": "old log-probabilities on the actor's ranks",
    "_compute_ref_log_prob": "log-probabilities of the reference model on its ranks",
    "_compute_values": "values on the critic's ranks",
    "_compute_advantage": "teacher's inputs and advantages",
    "_update_critic": "update of the critic on its ranks",
    "_update_actor": "update of the student on the actor's ranks",
    "_save_checkpoint": "checkpoint",
    "on_step_end": "weights on their way to the rollout engine",
    "_validate": "validation",
}


def _in_phase(method: str, words: str) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self.watchdog.phase(words):
            return getattr(super(Stalls, self), method)(*args, **kwargs)

    call.__name__ = method
    return call


class Stalls:
    """To stand before a verl trainer among a class's bases; its methods call verl's within a phase of the watchdog."""

    # Of a trainer that is not initialised: it never barks.
    watchdog = Watchdog(float("inf"), logger.warning)

    def init(self) -> None:
        seconds = self.config.trainer.watchdog_seconds
        if seconds is not None:
            self.watchdog = Watchdog(seconds, logger.warning)
            self.watchdog.start()
        super().init()

    def _build_replay_buffer(self) -> Any:
        replay_buffer = super()._build_replay_buffer()
        sample = replay_buffer.sample

        def sample_in_phase(*args: Any, **kwargs: Any) -> Any:
            with self.watchdog.phase("rollouts", self._look_at_rollouts):
                return sample(*args, **kwargs)

        replay_buffer.sample = sample_in_phase
        return replay_buffer

    def _look_at_rollouts(self) -> tuple[float, list[str]]:
        return look_at_workers(getattr(self.agent_loop_manager, "agent_loop_workers", ()))


# A method of `Stalls` for each.
for _method, _words in PHASES.items():
    setattr(Stalls, _method, _in_phase(_method, _words))


def look_at_workers(workers: Sequence[Any]) -> tuple[float, list[str]]:
    """Seconds since a session of any of these agent loop workers has gone on, and lines about what they wait for.

    Workers of another class than this package's cannot be asked.
    """
    asked = {worker.waiting.remote(): worker for worker in workers if hasattr(worker, "waiting")}
    if not asked:
        return float("inf"), ["the agent loop workers are not this package's and cannot be asked"]
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
    answers, lines = [], []
    for reference, worker in asked.items():
        try:
            if reference not in done:
                raise TimeoutError(f"does not answer within {ANSWER_SECONDS:g} s")
            answers.append(ray.get(reference))
        except Exception as error:
            lines.append(f"{worker}: {' '.join(str(error).split())[:200]}")
    return min((answer["idle_seconds"] for answer in answers), default=float("inf")), lines + described(answers)


def described(answers: Sequence[dict[str, Any]]) -> list[str]:
    """Lines about the sessions that have not ended, those that have waited longest first, `MOST_SESSIONS` of them."""
    waiting = [(*session, answer["worker"]) for answer in answers for session in answer["sessions"]]
    waiting.sort(key=lambda each: -each[3])
    lines = [
        f"uid {uid}, session {session}: waits for {what} for {seconds:.0f} s ({worker})"
        for uid, session, what, seconds, worker in waiting[:MOST_SESSIONS]
    ]
    if len(waiting) > MOST_SESSIONS:
        lines.append(f"and {len(waiting) - MOST_SESSIONS} more sessions")
    return lines or ["no session is running: the replay buffer waits for prompts that no worker has"]
