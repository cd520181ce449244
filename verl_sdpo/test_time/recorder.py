# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Writes attempts and verdicts for all agent loop workers of a run: an actor of Ray's beside the trainer.

One writer, so that lines of workers on several nodes do not meet in one file.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from verl_sdpo.test_time.run_files import RunFiles
from verl_sdpo.test_time.turns import Turn
from verl_sdpo.watch.verdicts import judged

logger = logging.getLogger(__name__)

_NAME = "verl_sdpo_test_time_recorder"
NO_RESPONSE = "no response: the rollout failed, see the log"


class Recorder:
    """Attempts as they are made, verdicts as they come in, and both for the trainer.

    Args:
        folder: the run's.
        threshold: the score from which an attempt is a success.
    """

    def __init__(self, folder: str, threshold: float) -> None:
        self._files = RunFiles(Path(folder))
        self._threshold = threshold
        self._attempts: dict[tuple[str, int], str] = {}
        self._turns: dict[tuple[str, int], Turn] = {}

    def attempt(self, question: str, attempt: int, step: int, response: str, **more: Any) -> None:
        """An attempt was made; it is on the disk when this returns."""
        self._files.write_attempt(question, attempt, step, response, **more)
        self._attempts[question, attempt] = response

    def verdict(self, question: str, attempt: int, score: float, reward_info: Mapping[str, Any] | None) -> None:
        """An attempt that was noted before has a verdict; it is on the disk when this returns."""
        info = reward_info or {}
        is_judged = not judged(question, info).kinds
        turn = Turn(
            attempt,
            self._attempts.pop((question, attempt)),
            float(score),
            is_judged and float(score) >= self._threshold,
            str(info.get("feedback") or ""),
            is_judged,
        )
        self._files.write_verdict(question, turn)
        self._turns[question, attempt] = turn

    def take(self, question: str, step: int, attempts: Sequence[int]) -> list[Turn]:
        """These attempts' turns, in order. One that was never made, or never scored, is written down as unjudged."""
        return [self._take(question, step, attempt) for attempt in attempts]

    def _take(self, question: str, step: int, attempt: int) -> Turn:
        if (key := (question, attempt)) not in self._turns:
            if key not in self._attempts:
                self.attempt(question, attempt, step, "")
            self.verdict(question, attempt, 0.0, {"sandbox_error": 1.0, "feedback": NO_RESPONSE})
        return self._turns.pop(key)


def start_recorder(folder: Path, threshold: float) -> Any:
    """The run's recorder, on this node."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Recorder).options(name=_NAME, num_cpus=0, scheduling_strategy=here)
    return actor.remote(str(folder), threshold)


def find_recorder() -> Any:
    """The recorder of the job that this process belongs to."""
    return ray.get_actor(_NAME)
