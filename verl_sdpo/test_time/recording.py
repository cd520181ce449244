# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Agent loop workers that write an attempt down before its reward is asked.

Depends on what `verl_sdpo.rollout.stop_reasons` depends on: a session ends in `_compute_score`, and a row's columns
arrive there. Requests have seeds that follow from run, question and attempt, so that a run that goes on after a kill
does not draw a second time what it drew before.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import ray
from verl.experimental.agent_loop import AgentLoopOutput

from verl_sdpo.rollout.request_seeds import Requests, SeededManager, SeededWorker
from verl_sdpo.test_time.recorder import find_recorder

# Columns of a row: the question's name, and the number of the row's first attempt.
QUESTION, FIRST_ATTEMPT = "test_time_question", "test_time_first_attempt"


class RecordingWorker(SeededWorker):
    """An agent loop worker of a test-time run."""

    @functools.cached_property
    def recorder(self) -> Any:
        """The run's."""
        return find_recorder()

    def _requests(self, row: Mapping[str, Any]) -> Requests | None:
        if self.rollout_config.name != "vllm":
            # Other engines take no seed of that name.
            return None
        return Requests(self.rollout_config.seed, row[QUESTION], _attempt_of(row))

    async def _compute_score(self, outputs: list[AgentLoopOutput], kwargs: dict[str, Any]) -> None:
        question, attempt, output = kwargs[QUESTION], _attempt_of(kwargs), outputs[-1]
        own = [token for token, is_own in zip(output.response_ids, output.response_mask, strict=True) if is_own]
        response = self.tokenizer.decode(own, skip_special_tokens=True)
        await self.recorder.attempt.remote(
            question,
            attempt,
            int(kwargs["global_steps"]),
            response,
            prompt_tokens=len(output.prompt_ids),
            response_tokens=len(output.response_ids),
        )
        await super()._compute_score(outputs, kwargs)
        info = output.extra_fields.get("reward_extra_info")
        await self.recorder.verdict.remote(question, attempt, float(output.reward_score), info)


def _attempt_of(row: Mapping[str, Any]) -> int:
    return int(row[FIRST_ATTEMPT]) + int(row["session_id"])


class RecordingManager(SeededManager):
    """The manager with these workers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(RecordingWorker)
